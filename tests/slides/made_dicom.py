"""DICOM of whole slides that tests make: levels, focal planes, series in parts, pictures of labels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
from made_slides import Pixels, halve
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"


def write_dicom(
    folder: Path,
    planes: Pixels,
    *,
    mpp: float = 0.25,
    levels: int = 2,
    parts: int = 1,
    patient: str = "NO^ONE",
    jpeg: bool = False,
) -> list[Path]:
    """A series of one slide of focal planes (Z, H, W, 3): a file a level, or `parts` of them."""
    folder.mkdir(parents=True, exist_ok=True)
    common = _common(patient)
    files: list[Path] = []
    for level in range(levels):
        frames = _tiles(planes)
        image = _image(common, planes, mpp * 2**level, level)
        series, whole = generate_uid(), generate_uid()
        for number, chunk in enumerate(np.array_split(np.arange(len(frames)), parts)):
            part = _copy(image, whole if parts == 1 else generate_uid())
            if parts > 1:
                part.ConcatenationUID, part.SOPInstanceUIDOfConcatenationSource = series, whole
                part.InConcatenationNumber, part.InConcatenationTotalNumber = number + 1, parts
                part.ConcatenationFrameOffsetNumber = int(chunk[0])
            own = [frames[place] for place in chunk]
            files.append(_save(folder / f"{len(files):03}.dcm", part, own, jpeg=jpeg))
        planes = np.stack([halve(plane) for plane in planes])
    return files


def write_picture(folder: Path, kind: str, beside: Path, pixels: Pixels) -> Path:
    """A LABEL or OVERVIEW picture (H, W, 3) of the slide that a file belongs to."""
    from pydicom import dcmread

    image = _image(dcmread(beside, stop_before_pixels=True), pixels[None], 0.01, 0)
    image.ImageType = ["ORIGINAL", "PRIMARY", kind, "NONE"]
    image.SharedFunctionalGroupsSequence[0].WholeSlideMicroscopyImageFrameTypeSequence[
        0
    ].FrameType = image.ImageType
    return _save(folder / f"{kind}.dcm", _copy(image, generate_uid()), _tiles(pixels[None]))


def _common(patient: str) -> Dataset:
    """What all files of a slide share."""
    common = Dataset()
    common.SOPClassUID, common.Modality = SLIDE_CLASS, "SM"
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PyramidUID"):
        setattr(common, name, generate_uid())
    common.PatientName, common.PatientID, common.ContainerIdentifier = patient, patient, patient
    common.AccessionNumber, common.StudyID = patient[:16], "1"
    common.PositionReferenceIndicator, common.FocusMethod = "SLIDE_CORNER", "AUTO"
    common.VolumetricProperties, common.ExtendedDepthOfField = "VOLUME", "NO"
    common.SpecimenLabelInImage, common.BurnedInAnnotation = "NO", "NO"
    common.AcquisitionDateTime, common.LossyImageCompression = "20260101000000", "00"
    return common


TILE = 128


def _image(common: Dataset, planes: Pixels, mpp: float, level: int) -> Dataset:
    count, height, width = planes.shape[:3]
    image = Dataset()
    image.update(common)
    kind = (
        ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"] if level else ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    )
    image.ImageType = kind
    image.Rows = image.Columns = TILE
    image.TotalPixelMatrixRows, image.TotalPixelMatrixColumns = height, width
    image.TotalPixelMatrixFocalPlanes, image.DimensionOrganizationType = count, "TILED_FULL"
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    image.ImagedVolumeWidth, image.ImagedVolumeHeight = width * mpp / 1000, height * mpp / 1000
    image.ImagedVolumeDepth, image.ImageOrientationSlide = float(count), [0, -1, 0, -1, 0, 0]
    image.NumberOfOpticalPaths = 1
    image.TotalPixelMatrixOriginSequence = [
        _with(XOffsetInSlideCoordinateSystem=20.0, YOffsetInSlideCoordinateSystem=20.0)
    ]
    light = _with(CodeValue="111744", CodingSchemeDesignator="DCM", CodeMeaning="Brightfield illumination")
    image.OpticalPathSequence = [_with(OpticalPathIdentifier="1", IlluminationTypeCodeSequence=[light])]
    size = _with(PixelSpacing=[mpp / 1000] * 2, SliceThickness=0.001, SpacingBetweenSlices=0.001)
    image.SharedFunctionalGroupsSequence = [
        _with(
            PixelMeasuresSequence=[size], WholeSlideMicroscopyImageFrameTypeSequence=[_with(FrameType=kind)]
        )
    ]
    return image


def _with(**values: object) -> Dataset:
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _copy(image: Dataset, uid: str) -> Dataset:
    part = Dataset()
    part.update(image)
    part.SOPInstanceUID = uid
    part.file_meta = FileMetaDataset()
    part.file_meta.MediaStorageSOPClassUID = UID(SLIDE_CLASS)
    part.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    part.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return part


def _save(path: Path, part: Dataset, frames: list[Pixels], *, jpeg: bool = False) -> Path:
    part.NumberOfFrames = len(frames)
    if jpeg:
        part.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
        part.PhotometricInterpretation, part.LossyImageCompression = "YBR_FULL_422", "01"
        part.PixelData = encapsulate([as_jpeg(frame) for frame in frames])
        part["PixelData"].is_undefined_length = True
    else:
        part.PixelData = b"".join(frame.tobytes() for frame in frames)
    part.save_as(path, enforce_file_format=True)
    return path


def as_jpeg(frame: Pixels) -> bytes:
    """A frame as JPEG."""
    file = BytesIO()
    PIL.Image.fromarray(frame).save(file, "JPEG", quality=90, subsampling="4:2:2")
    return file.getvalue()


def _tiles(planes: Pixels) -> list[Pixels]:
    """Frames plane by plane, row by row; those at the ends go on in black."""
    short = [(-length % TILE) for length in planes.shape[1:3]]
    whole = np.pad(planes, ((0, 0), (0, short[0]), (0, short[1]), (0, 0)))
    frames = []
    for plane in whole:
        for y in range(0, plane.shape[0], TILE):
            frames += [plane[y : y + TILE, x : x + TILE] for x in range(0, plane.shape[1], TILE)]
    return frames
