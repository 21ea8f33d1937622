/** Possible lease owners of a row, each with whether its process has ended. */
import { newOwner, type Owner } from '../../src/shared/owner.ts'

/** Above the largest pid of Linux. */
export const NOBODYS_PID = 2 ** 22 + 1

/** The lease is taken over at once if `ended`; otherwise the test waits for its expiry. */
export type LeaseCase = readonly [name: string, owner: () => Owner, ended: boolean]

const OF_EVERY_SYSTEM: readonly LeaseCase[] = [
  ['a program of this machine that runs', () => newOwner('here'), false],
  ['a program of this machine that ended', () => ({ ...newOwner('here'), pid: NOBODYS_PID }), true],
]

const OF_MACHINES: readonly LeaseCase[] = [
  ['another container of this name', () => ({ ...newOwner('here'), machine: 'boot/2', pid: NOBODYS_PID }), false],
  [
    'another container of this name, whose number this process has',
    () => ({ ...newOwner('here'), machine: 'boot/2' }),
    false,
  ],
  ['a program of this machine whose number another has now', () => ({ ...newOwner('here'), started: '1' }), true],
]

/** Only Linux reports machine ids and start times of processes. */
export const LEASE_CASES = process.platform === 'linux' ? [...OF_EVERY_SYSTEM, ...OF_MACHINES] : OF_EVERY_SYSTEM
