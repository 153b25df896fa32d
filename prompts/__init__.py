"""The words sent to models, as versioned files, and the code that renders and digests them.

A prompt is a file `prompts/NAME/VERSION.md`: TOML front matter between `+++` lines, then messages under `# system`,
`# user` and `# assistant` headings with holes written `{{name}}`. `prompts/lock` holds the digest of every version:
changed words need a new version (`python -m prompts lock` records it). `prompts/NAME/VERSION.LANGUAGE.md` says the same in
another language: a small model writes in the language in which it is asked. Templates of recaps (`prompts/templates/NAME.toml`)
carry their version inside and are recorded alike.
"""

from prompts.library import Prompt, load, names
from prompts.lock import lock_problems
from prompts.templates import template, template_names

__all__ = ["Prompt", "load", "lock_problems", "names", "template", "template_names"]
