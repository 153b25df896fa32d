"""What a file seems to be by its bytes, before any decoder sees it."""

import io

import pytest

from adapters.pyav_decoder.refusals import REASONS, sentence_of
from adapters.pyav_decoder.signatures import is_cut_off, mp3_states_its_length, refusal_by_signature


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"", "empty"),
        (b"ffconcat version 1.0\nfile 'x.wav'\n", "playlist"),
        (b"\xef\xbb\xbf \n#EXTM3U\n#EXTINF:10,\nx.ts\n", "playlist"),
        (b"[playlist]\nFile1=http://host/x\n", "playlist"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "playlist"),
        (b"<?xml version='1.0'?><MPD></MPD>", "markup"),
        (b"<!DOCTYPE html><html></html>", "markup"),
        (b"just some words about a meeting", "text"),
        ("eine Sitzung über Grüße und Größen".encode(), "text"),
        (b'{"audio": "not really"}', "text"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "picture"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "picture"),
        (b"PK\x03\x04\x14\x00", "archive"),
        (b"\x1f\x8b\x08\x00", "archive"),
        (b"%PDF-1.7\n", "document"),
        (b"\x7fELF\x02\x01\x01\x00", "document"),
    ],
)
def test_what_is_no_recording_is_named(head: bytes, code: str) -> None:
    assert refusal_by_signature(head) == code


@pytest.mark.parametrize(
    "head",
    [
        b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00",
        b"ID3\x04\x00\x00\x00\x00\x00\x00\xff\xfb\x90\x00",
        b"\xff\xf3\x40\xc4\x00\x00",
        b"fLaC\x00\x00\x00\x22",
        b"OggS\x00\x02\x00\x00",
        b"#!AMR\n\x3c\x91\x17\x16\xbe\x66\x79\xe1\xe0\x01",
        b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00",
        b"\x1aE\xdf\xa3\x01\x00\x00\x00",
        b"FORM\x00\x00\x10\x00AIFFCOMM",
        b"\x47\x40\x11\x10\x00\x42",
    ],
)
def test_recordings_are_left_to_the_decoder(head: bytes) -> None:
    assert refusal_by_signature(head) is None


def wav(data_bytes: int, claimed: int) -> io.BytesIO:
    extra = b"LIST" + (5).to_bytes(4, "little") + b"INFO\x00\x00"  # odd length, so padded
    body = b"RIFF\x00\x00\x00\x00WAVE" + extra + b"data" + claimed.to_bytes(4, "little") + bytes(data_bytes)
    return io.BytesIO(body)


@pytest.mark.parametrize(
    ("claimed", "cut"), [(100, False), (101, True), (0, False), (0xFFFFFFFF, False), (0xFFFFFFF0, False), (0x7FFFFFFF, False)]
)
def test_a_wav_is_cut_off_when_it_promises_more_unless_it_was_streamed(claimed: int, cut: bool) -> None:
    assert is_cut_off(wav(100, claimed), "wav") is cut


def ogg_page(body: bytes) -> bytes:
    lacing = bytes([255] * (len(body) // 255) + [len(body) % 255])
    return b"OggS" + bytes(22) + bytes([len(lacing)]) + lacing + body


@pytest.mark.parametrize(("lost", "cut"), [(0, False), (1, True), (500, True), (520, True)])
def test_an_ogg_is_cut_off_when_its_last_page_is_not_whole(lost: int, cut: bool) -> None:
    whole = ogg_page(bytes(300)) + ogg_page(bytes(500))
    assert is_cut_off(io.BytesIO(whole[: len(whole) - lost]), "ogg") is cut


def test_an_mp3_states_its_length_only_in_a_header_after_its_tags() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
    frame = b"\xff\xfb\x90\x00" + bytes(32)
    assert mp3_states_its_length(io.BytesIO(tag + frame + b"Xing" + bytes(100)))
    assert not mp3_states_its_length(io.BytesIO(tag + frame + bytes(100)))


def test_every_refusal_has_a_whole_sentence() -> None:
    for code in REASONS:
        sentence = sentence_of(code, 7200.0)
        assert sentence.endswith(".")
        assert "{" not in sentence
        assert "7200.0" not in sentence
