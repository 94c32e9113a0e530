from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Codec(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CODEC_UNSPECIFIED: _ClassVar[Codec]
    CODEC_RAW: _ClassVar[Codec]
    CODEC_ZSTD: _ClassVar[Codec]
    CODEC_PNG: _ClassVar[Codec]

class Remainder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REMAINDER_UNSPECIFIED: _ClassVar[Remainder]
    REMAINDER_DROP: _ClassVar[Remainder]
    REMAINDER_PAD: _ClassVar[Remainder]
CODEC_UNSPECIFIED: Codec
CODEC_RAW: Codec
CODEC_ZSTD: Codec
CODEC_PNG: Codec
REMAINDER_UNSPECIFIED: Remainder
REMAINDER_DROP: Remainder
REMAINDER_PAD: Remainder

class DatasetSpec(_message.Message):
    __slots__ = ("seed", "width", "height", "alphabet", "min_length", "max_length", "styles", "fit")
    SEED_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    ALPHABET_FIELD_NUMBER: _ClassVar[int]
    MIN_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MAX_LENGTH_FIELD_NUMBER: _ClassVar[int]
    STYLES_FIELD_NUMBER: _ClassVar[int]
    FIT_FIELD_NUMBER: _ClassVar[int]
    seed: int
    width: int
    height: int
    alphabet: str
    min_length: int
    max_length: int
    styles: _containers.RepeatedCompositeFieldContainer[Style]
    fit: Fit
    def __init__(self, seed: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., alphabet: _Optional[str] = ..., min_length: _Optional[int] = ..., max_length: _Optional[int] = ..., styles: _Optional[_Iterable[_Union[Style, _Mapping]]] = ..., fit: _Optional[_Union[Fit, _Mapping]] = ...) -> None: ...

class Style(_message.Message):
    __slots__ = ("weight", "fonts", "font_sizes", "character_offset_dx", "character_offset_dy", "character_rotate", "character_warp_dx", "character_warp_dy", "word_space_probability", "word_offset_dx", "lookup_table", "bg_color", "bg_color_range", "fg_color", "fg_color_range", "fg_opacity_range", "noise_dots", "noise_dots_width", "noise_curves", "noise_lines", "noise_lines_width", "character_colors", "background")
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    FONTS_FIELD_NUMBER: _ClassVar[int]
    FONT_SIZES_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_OFFSET_DX_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_OFFSET_DY_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_ROTATE_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_WARP_DX_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_WARP_DY_FIELD_NUMBER: _ClassVar[int]
    WORD_SPACE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    WORD_OFFSET_DX_FIELD_NUMBER: _ClassVar[int]
    LOOKUP_TABLE_FIELD_NUMBER: _ClassVar[int]
    BG_COLOR_FIELD_NUMBER: _ClassVar[int]
    BG_COLOR_RANGE_FIELD_NUMBER: _ClassVar[int]
    FG_COLOR_FIELD_NUMBER: _ClassVar[int]
    FG_COLOR_RANGE_FIELD_NUMBER: _ClassVar[int]
    FG_OPACITY_RANGE_FIELD_NUMBER: _ClassVar[int]
    NOISE_DOTS_FIELD_NUMBER: _ClassVar[int]
    NOISE_DOTS_WIDTH_FIELD_NUMBER: _ClassVar[int]
    NOISE_CURVES_FIELD_NUMBER: _ClassVar[int]
    NOISE_LINES_FIELD_NUMBER: _ClassVar[int]
    NOISE_LINES_WIDTH_FIELD_NUMBER: _ClassVar[int]
    CHARACTER_COLORS_FIELD_NUMBER: _ClassVar[int]
    BACKGROUND_FIELD_NUMBER: _ClassVar[int]
    weight: int
    fonts: _containers.RepeatedCompositeFieldContainer[Font]
    font_sizes: _containers.RepeatedScalarFieldContainer[int]
    character_offset_dx: _containers.RepeatedScalarFieldContainer[int]
    character_offset_dy: _containers.RepeatedScalarFieldContainer[int]
    character_rotate: _containers.RepeatedScalarFieldContainer[int]
    character_warp_dx: _containers.RepeatedScalarFieldContainer[float]
    character_warp_dy: _containers.RepeatedScalarFieldContainer[float]
    word_space_probability: float
    word_offset_dx: float
    lookup_table: _containers.RepeatedScalarFieldContainer[int]
    bg_color: _containers.RepeatedScalarFieldContainer[int]
    bg_color_range: _containers.RepeatedScalarFieldContainer[int]
    fg_color: _containers.RepeatedScalarFieldContainer[int]
    fg_color_range: _containers.RepeatedScalarFieldContainer[int]
    fg_opacity_range: _containers.RepeatedScalarFieldContainer[int]
    noise_dots: int
    noise_dots_width: int
    noise_curves: int
    noise_lines: int
    noise_lines_width: int
    character_colors: bool
    background: str
    def __init__(self, weight: _Optional[int] = ..., fonts: _Optional[_Iterable[_Union[Font, _Mapping]]] = ..., font_sizes: _Optional[_Iterable[int]] = ..., character_offset_dx: _Optional[_Iterable[int]] = ..., character_offset_dy: _Optional[_Iterable[int]] = ..., character_rotate: _Optional[_Iterable[int]] = ..., character_warp_dx: _Optional[_Iterable[float]] = ..., character_warp_dy: _Optional[_Iterable[float]] = ..., word_space_probability: _Optional[float] = ..., word_offset_dx: _Optional[float] = ..., lookup_table: _Optional[_Iterable[int]] = ..., bg_color: _Optional[_Iterable[int]] = ..., bg_color_range: _Optional[_Iterable[int]] = ..., fg_color: _Optional[_Iterable[int]] = ..., fg_color_range: _Optional[_Iterable[int]] = ..., fg_opacity_range: _Optional[_Iterable[int]] = ..., noise_dots: _Optional[int] = ..., noise_dots_width: _Optional[int] = ..., noise_curves: _Optional[int] = ..., noise_lines: _Optional[int] = ..., noise_lines_width: _Optional[int] = ..., character_colors: _Optional[bool] = ..., background: _Optional[str] = ...) -> None: ...

class Font(_message.Message):
    __slots__ = ("name", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    sha256: str
    def __init__(self, name: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class Fit(_message.Message):
    __slots__ = ("mode", "ground", "resampling")
    MODE_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    RESAMPLING_FIELD_NUMBER: _ClassVar[int]
    mode: str
    ground: _containers.RepeatedScalarFieldContainer[int]
    resampling: str
    def __init__(self, mode: _Optional[str] = ..., ground: _Optional[_Iterable[int]] = ..., resampling: _Optional[str] = ...) -> None: ...

class Split(_message.Message):
    __slots__ = ("name", "count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    count: int
    def __init__(self, name: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class GetDatasetRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDatasetResponse(_message.Message):
    __slots__ = ("spec", "fingerprint", "splits", "codecs", "source")
    SPEC_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SPLITS_FIELD_NUMBER: _ClassVar[int]
    CODECS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    spec: DatasetSpec
    fingerprint: str
    splits: _containers.RepeatedCompositeFieldContainer[Split]
    codecs: _containers.RepeatedScalarFieldContainer[Codec]
    source: str
    def __init__(self, spec: _Optional[_Union[DatasetSpec, _Mapping]] = ..., fingerprint: _Optional[str] = ..., splits: _Optional[_Iterable[_Union[Split, _Mapping]]] = ..., codecs: _Optional[_Iterable[_Union[Codec, str]]] = ..., source: _Optional[str] = ...) -> None: ...

class StreamBatchesRequest(_message.Message):
    __slots__ = ("fingerprint", "split", "split_count", "order_seed", "shuffle", "epoch", "first_step", "num_steps", "global_batch_size", "rank", "ranks", "codec", "remainder")
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    SPLIT_COUNT_FIELD_NUMBER: _ClassVar[int]
    ORDER_SEED_FIELD_NUMBER: _ClassVar[int]
    SHUFFLE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    FIRST_STEP_FIELD_NUMBER: _ClassVar[int]
    NUM_STEPS_FIELD_NUMBER: _ClassVar[int]
    GLOBAL_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    RANKS_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    REMAINDER_FIELD_NUMBER: _ClassVar[int]
    fingerprint: str
    split: str
    split_count: int
    order_seed: int
    shuffle: bool
    epoch: int
    first_step: int
    num_steps: int
    global_batch_size: int
    rank: int
    ranks: int
    codec: Codec
    remainder: Remainder
    def __init__(self, fingerprint: _Optional[str] = ..., split: _Optional[str] = ..., split_count: _Optional[int] = ..., order_seed: _Optional[int] = ..., shuffle: _Optional[bool] = ..., epoch: _Optional[int] = ..., first_step: _Optional[int] = ..., num_steps: _Optional[int] = ..., global_batch_size: _Optional[int] = ..., rank: _Optional[int] = ..., ranks: _Optional[int] = ..., codec: _Optional[_Union[Codec, str]] = ..., remainder: _Optional[_Union[Remainder, str]] = ...) -> None: ...

class StreamBatchesResponse(_message.Message):
    __slots__ = ("epoch", "step", "codec", "checksum", "indices", "labels", "image_sizes", "images")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SIZES_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    step: int
    codec: Codec
    checksum: int
    indices: _containers.RepeatedScalarFieldContainer[int]
    labels: bytes
    image_sizes: _containers.RepeatedScalarFieldContainer[int]
    images: bytes
    def __init__(self, epoch: _Optional[int] = ..., step: _Optional[int] = ..., codec: _Optional[_Union[Codec, str]] = ..., checksum: _Optional[int] = ..., indices: _Optional[_Iterable[int]] = ..., labels: _Optional[bytes] = ..., image_sizes: _Optional[_Iterable[int]] = ..., images: _Optional[bytes] = ...) -> None: ...

class GetSamplesRequest(_message.Message):
    __slots__ = ("split", "indices", "codec")
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    INDICES_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    split: str
    indices: _containers.RepeatedScalarFieldContainer[int]
    codec: Codec
    def __init__(self, split: _Optional[str] = ..., indices: _Optional[_Iterable[int]] = ..., codec: _Optional[_Union[Codec, str]] = ...) -> None: ...

class GetSamplesResponse(_message.Message):
    __slots__ = ("samples", "fingerprint")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    fingerprint: str
    def __init__(self, samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ..., fingerprint: _Optional[str] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("index", "text", "image")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    index: int
    text: str
    image: bytes
    def __init__(self, index: _Optional[int] = ..., text: _Optional[str] = ..., image: _Optional[bytes] = ...) -> None: ...
