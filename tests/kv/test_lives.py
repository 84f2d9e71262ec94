"""Lives: any days of replicas that write, stop and come back, against the laws."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lashup.crdt import CausalContext, Dot
from lashup.crdt.causal_context import without
from lashup.kv.absence import DAY
from lashup.kv.dropped import dropped_untrusted
from lashup.kv.rows import state_untrusted
from tests.kv.days import AFTER, ROOT, Days
from tests.kv.vocabulary import digest_from_scratch

PEERS = 3
which = st.integers(0, PEERS - 1)
names = st.sets(st.sampled_from("abc"), min_size=1)
#: Around those on which something is forgotten, for the most part.
some_days = st.sampled_from([0, 1, 3, AFTER - 1, AFTER, AFTER + 1, AFTER + 5, 40])


class Lives(RuleBasedStateMachine):
    """Replicas that are on and off for days; the first one is off only with all."""

    def __init__(self) -> None:
        super().__init__()
        self.days = Days(PEERS)
        #: What each replica once had and then dropped, whatever became of it later.
        self.dropped: list[set[Dot]] = [set() for _ in range(PEERS)]
        self.seen: list[set[Dot]] = [set() for _ in range(PEERS)]

    @rule(number=which, names=names, value=st.integers(0, 9), heard_by=st.sets(which))
    def write(self, number, names, value, heard_by):
        if number in self.days.on:
            operations = [ROOT.register(name).assign(value) for name in sorted(names)]
            self.days.write(number, *operations, heard_by=heard_by)

    @rule(number=which, names=names, heard_by=st.sets(which))
    def remove(self, number, names, heard_by):
        if number in self.days.on:
            operations = [ROOT.register(name).remove() for name in sorted(names)]
            self.days.write(number, *operations, heard_by=heard_by)

    @rule(number=which)
    def restart(self, number):
        if number in self.days.on:
            self.days.restart(number)

    @rule(number=st.integers(1, PEERS - 1))
    def switch_on_or_off(self, number):
        if number in self.days.on:
            self.days.switch_off(number)
        else:
            self.days.switch_on(number)

    @rule(number=st.integers(1, PEERS - 1))
    def stop_or_resume(self, number):
        if number in self.days.on:
            self.days.stop(number)
        elif number in self.days.stopped:
            self.days.resume(number)

    @rule(days=some_days)
    def pass_days(self, days):
        self.days.pass_days(days)

    @rule(days=some_days)
    def be_without_power(self, days):
        were_on = sorted(self.days.on)
        for number in were_on:
            self.days.switch_off(number)
        self.days.day += days
        for number in were_on:
            self.days.switch_on(number)
        self.days.meet(strict=False)

    def removed(self):
        """All that somebody has removed, or written over."""
        removed = CausalContext()
        for delta in (delta for peer in self.days.peers for delta in peer.acknowledged):
            for actor, runs in delta.context.items():
                live = sorted(dot.counter for dot in delta.facts if dot.actor == actor)
                removed.add_runs(actor, without(runs, live))
        return removed

    @invariant()
    def nothing_that_a_replica_dropped_is_back(self):
        removed = self.removed()
        for number in self.days.on:
            live = self.days.live(number)
            # What it dropped as outdated and nobody removed, somebody may still have.
            back = live & self.dropped[number]
            assert not [dot for dot in back if dot in removed]
            self.dropped[number] |= self.seen[number] - live
            self.seen[number] |= live

    @invariant()
    def what_is_on_disk_is_what_there_is(self):
        for number in self.days.on:
            peer = self.days.peers[number]
            state = state_untrusted(peer.disk)
            assert dict(state.facts) == dict(iter(peer.store.facts))
            assert state.context == peer.store.facts.context
            assert peer.replica.root == digest_from_scratch(peer.store)

    def nothing_is_lost(self):
        """What was written and nobody removed is there, or has been put aside."""
        written = [delta for peer in self.days.peers for delta in peer.acknowledged]
        kept = self.days.live(0)
        for peer in self.days.peers:
            kept |= dropped_untrusted(peer.disk["meta"]).facts.keys()
        removed = self.removed()
        facts = {dot for delta in written for dot in delta.facts}
        assert {dot for dot in facts if dot not in removed} <= kept

    def all_come_back(self):
        for number in range(PEERS):
            if number in self.days.stopped:
                self.days.resume(number)
            elif number not in self.days.on:
                self.days.switch_on(number)

    def teardown(self):
        self.all_come_back()
        self.days.pass_days(2)
        self.nothing_that_a_replica_dropped_is_back()
        self.nothing_is_lost()
        self.all_is_forgotten_in_time()

    def all_is_forgotten_in_time(self):
        """Nobody is away any more: so what is idle now goes."""
        actors = {dot.actor for dot in self.days.live(0)}
        self.days.pass_days(AFTER + 3)
        self.days.meet(in_full=True)
        assert self.days.actors(0) == len(actors)


class WrongClocks(Lives):
    """The same with clocks that are wrong by months, and set.

    What was removed can come back with them. But nothing is lost, and all are equal.
    """

    @rule(number=which, days=st.sampled_from([-19_000, -400, -6, 0, 6, AFTER + 3, 400]))
    def set_clock(self, number, days):
        self.days.peers[number].clock_error = days * DAY

    def nothing_that_a_replica_dropped_is_back(self):
        """It may be."""

    def all_is_forgotten_in_time(self):
        """Not so soon: what has a day that is yet to come begins anew."""

    def teardown(self):
        for peer in self.days.peers:
            peer.clock_error = 0.0
        self.all_come_back()
        for _ in range(2 * AFTER):  # Days and horizons that were wrong pass by.
            self.days.meet(strict=False)
            self.days.pass_a_day()
        super().teardown()


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestWrongClocks = WrongClocks.TestCase
TestWrongClocks.settings = TestLives.settings
