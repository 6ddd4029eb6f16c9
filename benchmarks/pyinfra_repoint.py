"""The operations of playbooks/repoint.yml for pyinfra, which runs this file from .venv-bench. Wave after wave.

Operations of one wave: all its hosts stop, then all get their list, then all start. Nothing is proved.
"""

from pathlib import Path

from pyinfra import host  # type: ignore[import-not-found]  # it is in .venv-bench only
from pyinfra.operations import files, server  # type: ignore[import-not-found]  # likewise

TEMPLATE = Path(__file__).parent / "playbooks" / "templates" / "gateway.ini.j2"

data = host.data
for wave in host.loop(range(1, data.waves + 1)):
    if wave == data.wave:
        server.shell(name="Stop the gateway", commands=[data.stop])
        files.template(
            name="Write its configuration",
            src=str(TEMPLATE),
            dest=data.config,
            mode=data.mode,
            create_remote_dir=False,
            jinja_env_kwargs={"trim_blocks": True},
            title=data.title,
            certificate=data.certificate,
            number=data.number,
            servers=data.servers,
        )
        server.shell(name="Start the gateway", commands=[data.start])
        look = f"grep -q '^{data.logged_in}$' {data.status}"
        server.shell(
            name="Wait until it says that it is logged in",
            commands=[f'timeout 60 sh -c "until {look}; do sleep 0.1; done"'],
        )
