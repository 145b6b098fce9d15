"""Makes Gymnasium know the tuner's world: it calls `register` by itself, through the entry point `gymnasium.envs`.

What is NOT promised: anything where Gymnasium is not installed. Then nobody calls this.
"""


def register() -> None:
    """Registers `foretide/Concurrency-v0`; the simulator is imported only when somebody makes one."""
    from gymnasium.envs.registration import register as add

    add(id="Concurrency-v0", entry_point="foretide.simulator.tuning_env:gymnasium_env")
