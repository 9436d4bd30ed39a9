"""Key frames of several pieces, by hand."""

import numpy as np
import pytest

from mashnet.rendering.keyframes import Piece, without_jumps


@pytest.mark.parametrize("jump_s", [0.5, -0.5])
def test_the_bar_before_a_jump_is_stretched_and_all_others_are_as_they_were(jump_s: float) -> None:
    before = Piece(((0.0, 1.0), (10.0, 11.0)))
    after = Piece(((10.0 + jump_s, 11.0), (20.0 + jump_s, 21.0)))
    frames = without_jumps([before, after], bar_s=2.0)
    assert frames == ((0.0, 1.0), (8.0, 9.0), *after.keyframes_s)


def test_pieces_that_go_on_from_each_other_are_one() -> None:
    pieces = [Piece(((0.0, 0.0), (4.0, 5.0))), Piece(((4.0, 5.0), (9.0, 9.0)))]
    assert without_jumps(pieces, 2.0) == ((0.0, 0.0), (4.0, 5.0), (9.0, 9.0))
    assert without_jumps(pieces[:1], 2.0) == pieces[0].keyframes_s


def test_a_piece_no_longer_than_a_bar_keeps_its_beginning() -> None:
    pieces = [
        Piece(((0.0, 0.0), (2.0, 2.0))),
        Piece(((1.5, 2.0), (3.5, 4.0))),
        Piece(((4.0, 4.0), (9.0, 9.0))),
    ]
    frames = without_jumps(pieces, 2.0)
    assert frames == ((0.0, 0.0), (1.5, 2.0), (4.0, 4.0), (9.0, 9.0))
    assert (np.diff(np.array(frames), axis=0) > 0).all()
