"""A real seccomp filter around this process, like that of a container runtime."""

import ctypes

from . import system

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _PR_SET_NO_NEW_PRIVS = 22, 2, 38
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("code", ctypes.POINTER(_Instruction)))


def forbid(number: int, *numbers: int) -> None:
    """Make these system calls fail with errno `number` in this process, permanently."""
    code = [_Instruction(_LOAD_WORD, 0, 0, 0)]
    for left, syscall in enumerate(reversed(numbers)):
        code.insert(1, _Instruction(_JUMP_IF_EQUAL, left + 1, 0, syscall))
    code += [_Instruction(_RETURN, 0, 0, _ALLOW), _Instruction(_RETURN, 0, 0, _ERRNO | number)]
    program = _Program(len(code), (_Instruction * len(code))(*code))
    system.succeed(system.libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    filter_address = ctypes.addressof(program)
    system.succeed(system.libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, filter_address, 0, 0))
