"""The page at /docs: an index, examples and a way to try a call, in a real browser and without a network."""

import re
import shutil
from html.parser import HTMLParser

import pytest
from playwright.async_api import Locator, Page, async_playwright

from adapters.http.documentation.docs_page import POLICY
from adapters.http.documentation.examples import BODIES


class Elements(HTMLParser):
    """Collects the attributes of all elements."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.found if attributes.get(name)]


@pytest.fixture
async def text(world):
    return (await world.client.get("/docs")).text


async def test_the_index_leads_to_every_operation_and_every_link_leads_somewhere(world, text):
    document, elements = (await world.client.get("/openapi.json")).json(), Elements(text)
    names = {each["operationId"] for known in document["paths"].values() for each in known.values()}
    links, places = elements.values("href"), elements.values("id")

    assert len(set(places)) == len(places)
    assert {f"#{name}" for name in names} <= set(links)
    assert {link.removeprefix("#") for link in links if link.startswith("#")} <= set(places)
    assert [link for link in links if not link.startswith("#")] == ["/openapi.json"]


async def test_nothing_is_loaded_and_only_the_pages_own_script_runs(world, text):
    elements = Elements(text)

    assert not elements.values("src")
    assert not {"link", "iframe", "img", "object", "embed"} & {tag for tag, _ in elements.found}
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    assert "url(" not in text
    assert "@import" not in text
    assert (await world.client.get("/docs")).headers["content-security-policy"] == POLICY
    assert "unsafe-inline" not in re.findall(r"script-src [^;]+", POLICY)[0]


async def test_examples_stand_on_the_page_and_every_operation_has_a_command(text):
    assert text.count("<pre>curl ") == len(re.findall(r'<h3 id="[a-z_]+">(GET|POST|DELETE|HEAD|PATCH|OPTIONS) ', text))
    assert "curl -F file=@meeting.ogg http://127.0.0.1:8000/v1/conversations" in text
    assert BODIES["search"]["query"] in text


@pytest.fixture
async def page(served):
    chromium = shutil.which("chromium")
    assert chromium, "a browser is missing: ./just servers"
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        blank = await browser.new_page(base_url=str(served.client.base_url))
        blank.set_default_timeout(60_000)
        yield blank
        await browser.close()


async def opened(page: Page, name: str) -> Locator:
    """Open the form of an operation."""
    form = page.locator(f"h3#{name} ~ details").first
    await form.locator("summary").click()
    return form


@pytest.mark.slow
async def test_calls_can_be_tried_in_a_browser(served, page, tmp_path):
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    await page.goto("/")
    assert page.url.endswith("/docs")

    form = await opened(page, "create_recap")
    await form.get_by_role("button", name="Send").click()
    await form.locator("output", has_text='"object": "job"').wait_for()
    (job,) = await served.store.jobs.list("default", 5)
    assert job.id in await form.locator("output").inner_text()

    form = await opened(page, "get_job")
    await form.locator("input[name=job_id]").fill(job.id)
    await form.get_by_role("button", name="Send").click()
    await form.locator("output", has_text="200").wait_for()

    recording = tmp_path / "a.wav"
    recording.write_bytes(b"RIFF sound")
    form = await opened(page, "create_transcription")
    await form.locator("input[type=file]").set_input_files(recording)
    await form.locator("input[name=language]").fill("en")
    await form.get_by_role("button", name="Send").click()
    await form.locator("output", has_text='"kind": "transcription"').wait_for()

    assert not complaints
    assert {url.split("/")[2] for url in asked} == {str(served.client.base_url).split("/")[2]}, "nothing comes from elsewhere"
