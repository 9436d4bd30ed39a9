"""A program: decode a file with pedalboard and write it as ffmpeg would; see `decoders`.

In a process of its own, since the decoders in pedalboard can hang on damaged files. It is started
as a file, without mashnet, so that it starts quickly.
"""

import struct
import sys

from pedalboard.io import AudioFile

_BLOCK_SAMPLES = 1 << 16
_AU_FLOAT = 6
_MOST_LACKING = 0.01  # share of the announced samples


def main(path: str, start_s: float, duration_s: float, late: int) -> None:
    """Write AU with 32-bit floats; end with status 1 if samples are lacking.

    Args:
        path: the file.
        start_s: where to begin.
        duration_s: how much to write.
        late: so many samples at the beginning are none of the music.
    """
    with open(path, "rb") as raw, AudioFile(raw) as file:
        rate, out = round(file.samplerate), sys.stdout.buffer
        file.seek(min(late + round(start_s * rate), file.frames))
        wanted = left = min(file.frames - file.tell(), round(min(duration_s, 1e9) * rate))
        unknown = 0xFFFFFFFF
        out.write(struct.pack(">4s5I", b".snd", 24, unknown, _AU_FLOAT, rate, file.num_channels))
        while left > 0:
            block = file.read(min(_BLOCK_SAMPLES, left))
            if not block.shape[1]:
                break
            left -= block.shape[1]
            out.write(block.T.astype(">f4").tobytes())
    if left > _MOST_LACKING * wanted:
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
