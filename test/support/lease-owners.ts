/** Owners of leases as a row may name them, each with what becomes of what he holds. */
import { newOwner, type Owner } from '../../src/shared/owner.ts'

/** Above what Linux gives. */
export const NOBODYS_PID = 2 ** 22 + 1

/** Taken at once where he has ended, and waited for otherwise. */
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

/** Only Linux tells machines and starts. */
export const LEASE_CASES = process.platform === 'linux' ? [...OF_EVERY_SYSTEM, ...OF_MACHINES] : OF_EVERY_SYSTEM
