from hypothesis import given
from hypothesis import strategies as st

from lashup.machine import NodeId
from lashup.multicast.tree import Trees
from tests.multicast.vocabulary import view_of

sizes = st.integers(1, 80)
arities = st.integers(1, 20)


def reachable(trees: Trees, origin: NodeId) -> dict[NodeId, int]:
    distance = {origin: 0}
    frontier = [origin]
    while frontier:
        following = []
        for node in frontier:
            for child in trees.children(node):
                if child not in distance:
                    distance[child] = distance[node] + 1
                    following.append(child)
        frontier = following
    return distance


@given(sizes, arities, st.data())
def test_every_member_is_reached_from_every_origin(size, arity, data):
    order = view_of(range(size)).order
    origin = data.draw(st.sampled_from(order))
    trees = Trees(order, origin, arity=arity)

    assert set(reachable(trees, origin)) == set(order)


@given(sizes, arities, st.data())
def test_an_origin_that_is_not_in_the_list_reaches_all_that_are(size, arity, data):
    order = view_of(range(1, size + 1)).order
    origin = data.draw(st.binary(min_size=16, max_size=16).map(NodeId))
    trees = Trees(order, origin, arity=arity)

    assert set(reachable(trees, origin)) == {origin, *order}


@given(sizes, arities, st.data())
def test_each_member_has_a_parent_in_either_tree_and_two_if_there_are_enough(
    size, arity, data
):
    order = view_of(range(size)).order
    origin = data.draw(st.sampled_from(order))
    trees = Trees(order, origin, arity=arity)
    parents: dict[NodeId, set[NodeId]] = {node: set() for node in order}
    for node in order:
        for child in trees.children(node):
            parents[child].add(node)

    assert parents.pop(origin) == set()
    assert {len(found) for found in parents.values()} <= {1, 2}
    if size > 2 * arity + 2:
        inner = {node for found in parents.values() for node in found}
        # Where a node has but one parent, it is the same in both trees.
        alone = [node for node, found in parents.items() if len(found) == 1]
        assert len(alone) <= 1 or len(inner) == 1


@given(st.integers(5, 80), st.integers(2, 20), st.data())
def test_inner_nodes_of_one_tree_are_leaves_of_the_other(size, arity, data):
    order = view_of(range(size)).order
    origin = data.draw(st.sampled_from(order))
    trees = Trees(order, origin, arity=arity)

    for node in order:
        if node != origin:
            rank = trees.rank(node)
            assert rank is not None
            assert not (
                trees._child_ranks(rank) and trees._child_ranks(trees._mirror(rank))
            )


@given(sizes, arities, st.data())
def test_no_member_has_more_children_than_arity_in_each_tree(size, arity, data):
    order = view_of(range(size)).order
    origin = data.draw(st.sampled_from(order))
    trees = Trees(order, origin, arity=arity)

    for node in order:
        children = trees.children(node)
        assert len(children) <= 2 * arity
        assert len(children) == len(set(children))
        assert node not in children


@given(sizes, arities, st.data())
def test_distances_and_parents_are_those_of_the_shorter_way(size, arity, data):
    order = view_of(range(size)).order
    origin = data.draw(st.sampled_from(order))
    trees = Trees(order, origin, arity=arity)

    hops = trees.hops()

    walked = reachable(trees, origin)
    assert set(hops) == set(walked)
    for node in order:
        # Crossing from one tree to the other is at times shorter still.
        assert walked[node] <= hops[node]
        parent = trees.parent(node)
        if parent is None:
            assert node == origin
        else:
            assert node in trees.children(parent)
            assert hops[parent] <= hops[node] - 1


def test_a_node_that_is_not_in_the_list_has_no_children():
    view = view_of(range(9))

    assert Trees(view.order, view.order[0], arity=2).children(NodeId(b"?" * 16)) == []
