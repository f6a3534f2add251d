"""Published tables are found, fetched, imported and verified, against a real server that misbehaves."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from rapid_moo import data
from rapid_moo.errors import DataNotFoundError, FetchError, InputError
from rapid_moo.problems import get_space

ROWS = "".join(f'"[{", ".join(["4"] * 26)}, {i % 2}]",{i}.5,{30 - i % 7}.25,1{i}.0\n' for i in range(400))
GOOD = f"vector,latency,accuracy,mem\n{ROWS}".encode()
PUBLISHED = os.environ.get("RAPID_MOO_DATA", "")
NAME, FILE = "hw_gpt_s_v100", "gpt_s_v100.csv"  # a table without a published checksum


@dataclass
class Server:
    """What the server serves, how it misbehaves on each request (the last way stays), and what was asked."""

    body: bytes = GOOD
    ways: list[str] = field(default_factory=lambda: ["whole"])
    ranges: bool = True
    etag: str = '"one"'
    asked: list[str | None] = field(default_factory=list)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)

    def way(self) -> str:
        return self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]


def handler_for(state: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.asked.append(asked)
            way = state.way()
            if way.isdigit():
                self.send_error(int(way))
                return
            if way == "slow answer":
                self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 400)
                return
            start = 0
            same = self.headers.get("If-Range") in (None, state.etag)
            if asked and state.ranges and same:
                start = int(asked.removeprefix("bytes=").rstrip("-"))
                if start >= len(state.body):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(state.body) - 1}/{len(state.body)}")
            else:
                self.send_response(200)
            self.send_header("ETag", state.etag)
            self.send_header("Content-Length", str(len(state.body) - start))
            self.end_headers()
            half = start + (len(state.body) - start) // 2
            self.wfile.write(state.body[start:half])
            if way == "truncated":
                return
            if way == "stalled":
                self.wfile.flush()
                state.released.wait(5.0)
                return
            if way == "drips":
                self._drip(state.body[half:])
                return
            self.wfile.write(state.body[half:])

        def _drip(self, content: bytes) -> None:
            with contextlib.suppress(OSError):  # whoever asked has gone
                for k in range(len(content)):
                    self.wfile.write(content[k : k + 1])
                    if state.released.wait(0.05):
                        return

        def log_message(self, format: str, *args: object) -> None:
            logging.getLogger(__name__).debug(format, *args)

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(state))
    httpd.daemon_threads = True
    httpd.block_on_close = False
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{httpd.server_port}/{FILE}"
    yield state
    state.released.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("RAPID_MOO_CACHE", str(folder))
    monkeypatch.delenv("RAPID_MOO_DATA", raising=False)
    return folder


def fetch(server: Server, name: str = NAME, **options: object) -> Path:
    return data.fetch(name, url=server.url, **{"timeout": 0.5, "retries": 2, "pause": 0.01, **options})  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


class TestManifest:
    def test_every_table_is_described(self) -> None:
        entries = data.manifest()
        assert {"digits", "nasbench201", "nasbench_asr", "flexibert", "hw_gpt_s_a100", "hw_gpt_l_rtx3080"} <= set(
            entries
        )
        for name, entry in entries.items():
            assert entry.name == name
            assert entry.file.endswith(".csv")
            assert entry.vector_length > 0
            assert entry.licence != "unknown"
            known = get_space(entry.space, **entry.options)
            assert entry.objectives == tuple(f"{goal.column}:{goal.direction}" for goal in known.objectives)
            assert entry.optional == tuple(f"{goal.column}:{goal.direction}" for goal in known.optional)
            assert entry.source
            assert all(len(digest) == 64 for digest in entry.sha256)

    @pytest.mark.parametrize("name", ["digits", "digits_batch64"])
    def test_an_embedded_table_is_the_measured_one(self, name: str) -> None:
        path, entry = data.locate(name), data.manifest()[name]
        assert entry.embedded
        assert data.check_file(entry, path).state == "ok"
        assert path.stat().st_size == entry.size

    def test_the_second_device_differs_in_latency_alone(self) -> None:
        first, second = (pd.read_csv(data.locate(name)) for name in ("digits", "digits_batch64"))
        same = ["vector", "accuracy", "memory", "accuracy_se"]
        pd.testing.assert_frame_equal(first[same], second[same])
        assert 0.88 < first["latency"].corr(second["latency"], method="spearman") < 0.94
        assert (second["latency_se"] / second["latency"]).median() < 0.01

    def test_addresses_are_pinned_to_a_commit(self) -> None:
        for entry in data.manifest().values():
            if not entry.embedded:
                assert "/McGill-Edge-Intelligence/RAPID/7b862c120c3545c8e22d4372a650c91fe0a849df/data/" in entry.url
                assert entry.url.endswith(entry.file)

    def test_rebuilt_tables_do_not_claim_the_published_checksum(self) -> None:
        assert not data.manifest()["hw_gpt_s_a100"].enforced
        assert data.manifest()["nasbench201"].enforced

    @pytest.mark.parametrize(
        ("text", "name", "options"),
        [
            ("nasbench201", "nasbench201", {}),
            ("asr_data.csv", "nasbench_asr", {}),
            ("some/where/flexibert_data.csv", "flexibert", {}),
            (Path("/x/gpt_l_rtx3080.csv"), "hw_gpt_l_rtx3080", {"scale": "l"}),
            ("gpt_m_cpu_amd_7502.csv", "hw_gpt_m_cpu_amd_7502", {"scale": "m"}),
            ("hw_gpt_s_cpu_meteor_lake", "hw_gpt_s_cpu_meteor_lake", {"scale": "s"}),
        ],
    )
    def test_names_and_files_are_recognised(self, text: str | Path, name: str, options: dict[str, str]) -> None:
        entry = data.entry_for(text)
        assert entry is not None
        assert (entry.name, dict(entry.options)) == (name, options)

    @pytest.mark.parametrize("text", ["", "gpt_x_a100.csv", "gpt_s_a100.txt", "mine.csv", "hw_gpt_xl_a100"])
    def test_other_names_are_not(self, text: str) -> None:
        assert data.entry_for(text) is None


class TestLocate:
    def test_message_says_where_and_how(self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAPID_MOO_DATA", str(tmp_path / "elsewhere"))
        with pytest.raises(DataNotFoundError) as caught:
            data.locate("nasbench201")
        for part in (str(tmp_path / "elsewhere"), str(cache), "nasbench201_data_final.csv"):
            assert part in str(caught.value)
        assert "rapid-moo data fetch nasbench201" in str(caught.value)
        assert "rapid-moo data import" in str(caught.value)

    def test_data_folder_comes_before_the_cache(
        self, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache.mkdir()
        (cache / FILE).write_bytes(GOOD)
        assert data.locate(NAME) == cache / FILE
        stated = tmp_path / "stated"
        stated.mkdir()
        (stated / FILE).write_bytes(GOOD)
        monkeypatch.setenv("RAPID_MOO_DATA", str(stated))
        assert data.locate(NAME) == stated / FILE

    def test_unknown_name(self) -> None:
        with pytest.raises(InputError, match="got 'nasbench101'"):
            data.locate("nasbench101")

    def test_digits_is_always_the_embedded_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "digits.csv").write_text("no table")
        monkeypatch.setenv("RAPID_MOO_DATA", str(tmp_path))
        assert data.locate("digits").parent != tmp_path

    @pytest.mark.parametrize(
        ("platform", "variable", "end"),
        [
            ("linux", "XDG_CACHE_HOME", "base/rapid_moo"),
            ("darwin", "", "Library/Caches/rapid_moo"),
            ("win32", "LOCALAPPDATA", "base/rapid_moo/Cache"),
            ("linux", "", ".cache/rapid_moo"),
        ],
    )
    def test_cache_of_the_platform(
        self, platform: str, variable: str, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("RAPID_MOO_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("sys.platform", platform)
        if variable:
            monkeypatch.setenv(variable, str(tmp_path / "base"))
        assert data.cache_folder().as_posix().endswith(end)


class TestFetch:
    def test_whole(self, server: Server, cache: Path) -> None:
        steps: list[tuple[int, int]] = []
        path = fetch(server, progress=lambda at: steps.append((at.done, at.total)))
        assert path == cache / FILE
        assert path.read_bytes() == GOOD
        assert names(cache) == [FILE]
        assert steps[-1] == (len(GOOD), len(GOOD))

    @pytest.mark.parametrize("name", ["digits", "digits_batch64"])
    def test_embedded_table_is_not_downloaded(self, name: str) -> None:
        assert data.fetch(name) == data.locate(name)

    def test_server_error_then_works(self, server: Server) -> None:
        server.ways = ["500", "503", "whole"]
        assert fetch(server).read_bytes() == GOOD
        assert len(server.asked) == 3

    def test_missing_page_is_not_asked_for_again(self, server: Server, cache: Path) -> None:
        server.ways = ["404"]
        with pytest.raises(FetchError, match="404") as caught:
            fetch(server)
        assert server.url in str(caught.value)
        assert len(server.asked) == 1
        assert FILE not in names(cache)

    def test_truncated_download_resumes(self, server: Server) -> None:
        server.ways = ["truncated", "whole"]
        assert fetch(server).read_bytes() == GOOD
        assert server.asked == [None, f"bytes={len(GOOD) // 2}-"]

    def test_truncated_download_restarts_without_ranges(self, server: Server) -> None:
        server.ways, server.ranges = ["truncated", "whole"], False
        assert fetch(server).read_bytes() == GOOD

    def test_always_truncated(self, server: Server, cache: Path) -> None:
        server.ways, server.ranges = ["truncated"], False
        with pytest.raises(FetchError, match=f"{len(GOOD) // 2} of {len(GOOD)}"):
            fetch(server)
        assert FILE not in names(cache)
        assert len(server.asked) == 3

    def test_stall_is_given_up(self, server: Server) -> None:
        server.ways = ["stalled"]
        start = time.monotonic()
        with pytest.raises(FetchError, match="timed out"):
            fetch(server, timeout=0.2, retries=0)
        assert time.monotonic() - start < 2.0

    @pytest.mark.parametrize("way", ["drips", "slow answer"])
    def test_a_drip_is_a_stall(self, server: Server, cache: Path, way: str) -> None:
        """Each byte comes in time, and the whole never does."""
        server.ways = [way]
        start = time.monotonic()
        with pytest.raises(FetchError, match=r"after 2 attempts: (fewer than 1000 bytes|no answer)"):
            fetch(server, timeout=0.4, retries=1)
        assert time.monotonic() - start < 5.0
        assert FILE not in names(cache)

    def test_stall_then_resumes(self, server: Server) -> None:
        server.ways = ["stalled", "whole"]
        assert fetch(server, timeout=0.2).read_bytes() == GOOD
        assert server.asked[1] == f"bytes={len(GOOD) // 2}-"

    def test_interrupt_keeps_the_part_and_a_later_call_resumes(self, server: Server, cache: Path) -> None:
        def interrupt(at: object) -> None:
            raise KeyboardInterrupt

        server.ways = ["truncated", "whole"]
        with pytest.raises(KeyboardInterrupt):
            fetch(server, progress=interrupt)
        part = cache / f"{FILE}.part"
        kept = part.stat().st_size
        assert 0 < kept < len(GOOD)
        assert FILE not in names(cache)
        assert fetch(server).read_bytes() == GOOD
        assert server.asked[-1] == f"bytes={kept}-"
        assert names(cache) == [FILE]

    def test_interrupt_after_the_last_byte(self, server: Server, cache: Path) -> None:
        cache.mkdir()
        (cache / f"{FILE}.part").write_bytes(GOOD)
        assert fetch(server).read_bytes() == GOOD

    def test_file_that_changed_since_the_part_is_not_mixed(self, server: Server, cache: Path) -> None:
        server.ways = ["truncated"]
        with pytest.raises(FetchError):
            fetch(server, retries=0)
        server.ways, server.etag, server.body = ["whole"], '"two"', GOOD.replace(b"30.25", b"31.25")
        assert fetch(server).read_bytes() == server.body

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            (b"<!DOCTYPE html><html><body>Sign in</body></html>", "vector"),
            (b"", "expected"),
            (b'vector,latency\n"[1, 2, 3]",4\n', "expected vectors of 27 integers, got 3"),
            (b'vector,latency\n"[1, two]",4\n', "expected integers in brackets"),
            (b"\xff\xfe\x00broken", "expected"),
        ],
    )
    def test_not_a_table(self, server: Server, cache: Path, body: bytes, said: str) -> None:
        server.body = body
        with pytest.raises(FetchError, match=said) as caught:
            fetch(server)
        assert server.url in str(caught.value)
        assert names(cache) == []

    def test_wrong_checksum_says_expected_and_got(self, server: Server, cache: Path) -> None:
        server.body = b'vector,latency,accuracy,mem\n"[0, 0, 0, 0, 0, 0, 0, 0, 0]",1,1,1\n'
        with pytest.raises(FetchError) as caught:
            fetch(server, "nasbench_asr")
        assert data.manifest()["nasbench_asr"].sha256[0] in str(caught.value)
        assert hashlib.sha256(server.body).hexdigest() in str(caught.value)
        assert names(cache) == []

    @pytest.mark.parametrize("way", ["404", "500", "truncated", "lies"])
    def test_a_good_file_is_never_destroyed(self, server: Server, cache: Path, way: str) -> None:
        fetch(server)
        server.ways = ["whole" if way == "lies" else way]
        server.body = b"<html>" if way == "lies" else GOOD
        with pytest.raises(FetchError):
            fetch(server, retries=0)
        assert (cache / FILE).read_bytes() == GOOD

    def test_total_time_is_limited(self, server: Server, cache: Path) -> None:
        server.ways = ["stalled"]
        start = time.monotonic()
        with pytest.raises(FetchError, match=f"{len(GOOD) // 2} bytes are kept in"):
            fetch(server, timeout=10.0, total_timeout=0.3, retries=5)
        assert time.monotonic() - start < 2.0

    def test_only_http(self) -> None:
        with pytest.raises(InputError, match="got 'file:///etc/passwd'"):
            data.fetch(NAME, url="file:///etc/passwd")

    def test_nothing_listens(self, server: Server, cache: Path) -> None:
        with pytest.raises(FetchError, match="after 2 attempt"):
            data.fetch(NAME, url="http://127.0.0.1:9/none.csv", timeout=0.5, retries=1, pause=0.01)
        assert FILE not in names(cache)

    def test_unknown_table(self) -> None:
        with pytest.raises(InputError, match="got 'nasbench101'"):
            data.fetch("nasbench101")


class TestImport:
    def test_folder(self, tmp_path: Path, cache: Path) -> None:
        folder = tmp_path / "downloads"
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / FILE).write_bytes(GOOD)
        (folder / "notes.csv").write_text("a,b\n1,2\n")
        (folder / "gpt_s_a40.csv").write_text("<html>")
        (folder / "read.me").write_text("x")
        report = {item.path.name: item for item in data.import_folder(folder)}
        assert {name: item.state for name, item in report.items()} == {
            FILE: "imported",
            "notes.csv": "skipped",
            "gpt_s_a40.csv": "refused",
        }
        assert "expected a column 'vector'" in report["gpt_s_a40.csv"].detail
        assert names(cache) == [FILE]
        assert data.locate(NAME).read_bytes() == GOOD

    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataNotFoundError, match="nowhere"):
            data.import_folder(tmp_path / "nowhere")

    def test_a_broken_file_does_not_hide_a_good_one(self, tmp_path: Path) -> None:
        for name, body in (("a", b"broken"), ("b", GOOD), ("c", GOOD)):
            (tmp_path / "in" / name).mkdir(parents=True)
            (tmp_path / "in" / name / FILE).write_bytes(body)
        assert [item.state for item in data.import_folder(tmp_path / "in")] == ["refused", "imported", "skipped"]

    def test_a_broken_file_does_not_replace_a_good_one(self, tmp_path: Path, cache: Path) -> None:
        cache.mkdir()
        (cache / FILE).write_bytes(GOOD)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / FILE).write_bytes(GOOD[: len(GOOD) // 2])
        assert data.import_folder(tmp_path / "in")[0].state == "refused"
        assert (cache / FILE).read_bytes() == GOOD

    def test_importing_the_cache_itself_keeps_it(self, cache: Path) -> None:
        cache.mkdir()
        (cache / FILE).write_bytes(GOOD)
        data.import_folder(cache)
        assert (cache / FILE).read_bytes() == GOOD

    def test_a_differing_file_does_not_replace_a_matching_one(
        self, published: Callable[[str], Path], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAPID_MOO_DATA", PUBLISHED)
        good = published("asr_data.csv").read_bytes()
        monkeypatch.delenv("RAPID_MOO_DATA")
        cache.mkdir()
        (cache / "asr_data.csv").write_bytes(good)
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "asr_data.csv").write_bytes(good.replace(b"0.5141012668609619", b"0.6"))
        (item,) = data.import_folder(tmp_path / "in")
        assert item.state == "refused"
        assert data.manifest()["nasbench_asr"].sha256[0] in item.detail
        assert (cache / "asr_data.csv").read_bytes() == good

    def test_published(self, published: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RAPID_MOO_DATA", PUBLISHED)
        (tmp_path / "in").mkdir()
        for name in ("asr_data.csv", "flexibert_data.csv", "gpt_s_a100.csv"):
            shutil.copyfile(published(name), tmp_path / "in" / name)
        monkeypatch.delenv("RAPID_MOO_DATA")
        assert {item.state for item in data.import_folder(tmp_path / "in")} == {"imported"}
        states = {check.name: check.state for check in data.verify(["nasbench_asr", "flexibert", "hw_gpt_s_a100"])}
        assert states == {"nasbench_asr": "ok", "flexibert": "ok", "hw_gpt_s_a100": "rebuilt"}


class TestVerify:
    def test_missing_and_without_checksum(self, cache: Path) -> None:
        cache.mkdir()
        (cache / FILE).write_bytes(GOOD)
        missing, known = data.verify(["nasbench201", NAME])
        assert (missing.state, missing.path) == ("missing", None)
        assert known.state == "no checksum"
        assert "400 rows" in known.detail
        assert "27" in known.detail

    def test_differs(self, cache: Path) -> None:
        cache.mkdir()
        body = b'vector,latency,accuracy,mem\n"[0, 0, 0, 0, 0, 0, 0, 0, 0]",1,1,1\n'
        (cache / "asr_data.csv").write_bytes(body)
        (check,) = data.verify(["nasbench_asr"])
        assert check.state == "differs"
        assert data.manifest()["nasbench_asr"].sha256[0] in check.detail
        assert hashlib.sha256(body).hexdigest() in check.detail

    def test_broken(self, cache: Path) -> None:
        cache.mkdir()
        (cache / FILE).write_bytes(GOOD[: len(GOOD) // 2])
        assert data.verify([NAME])[0].state == "broken"

    def test_everything(self) -> None:
        assert [check.name for check in data.verify()] == list(data.manifest())

    def test_unknown_name(self) -> None:
        with pytest.raises(InputError, match="got 'nasbench101'"):
            data.verify(["nasbench101"])
