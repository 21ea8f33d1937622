/** Columns of a lease, which are in the row of the leased work: a user who edits that row may change the lease. */
import {
  processStatusOf,
  type ProcessStatus,
  type Owner,
  type ProcessIdentity,
  type StoredIdentity,
} from '../../../shared/owner.ts'
import type { SqlRow } from '../../../model/run/sql-port.ts'
import { textOrNull, numberOrNull } from '../cells.ts'

/** Names of the columns of a lease. */
export type LeaseColumns = {
  /** Id of the owner; no owner if NULL, or if `until` is in the past. */
  readonly owner: string
  readonly host: string
  readonly pid: string
  readonly machine: string
  readonly started: string
  /** End of the lease if its owner does not renew it, in ms by the clock of the database. */
  readonly until: string
}

/** Column names for rows with one lease. */
export const LEASE_COLUMNS: LeaseColumns = {
  owner: 'owner',
  host: 'host',
  pid: 'pid',
  machine: 'machine',
  started: 'process_started',
  until: 'lease_until',
}

/** The lease owner that is stored in a row. */
export type StoredOwner = StoredIdentity & { readonly id: string }

/** Columns that identify the owner, in the order of `storedLeaseOwner` and `ownerValues`. */
export function ownerColumns(columns: LeaseColumns): readonly string[] {
  return [columns.owner, columns.host, columns.pid, columns.machine, columns.started]
}

/** The owner's values for `ownerColumns`. */
export function ownerValues({ id, host, pid, machine, started }: Owner): readonly (string | number | null)[] {
  return [id, host, pid, machine, started]
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const IS_ID = new RegExp(`^${UUID}$`)
/** Form in which versions up to 1.0 named a program that divides a table: host, process number, and an id. */
const OLD_PLANNER = new RegExp(`^(.*)/(\\d+)/${UUID}$`)

/** The lease owner that is stored in a row; null if none. @param row values of `ownerColumns`, numbers also as texts */
export function storedLeaseOwner(row: SqlRow): StoredOwner | null {
  const [id, host, pid, machine, started] = row
  if (id == null) return null
  const stored = { id: String(id), host: textOrNull(host), pid: numberOrNull(pid) }
  if (IS_ID.test(stored.id)) return { ...stored, machine: textOrNull(machine), started: textOrNull(started) }
  // An older version does not write machine and start: their values belong to an earlier owner.
  const [, name = stored.host, number = stored.pid] = OLD_PLANNER.exec(stored.id) ?? []
  return { id: stored.id, host: name, pid: number === null ? null : Number(number), machine: null, started: null }
}

/** State of the lease owner of a row: it runs, has ended, or is unknown. @param me this program */
export function ownerStatus(holder: StoredOwner, me: ProcessIdentity & { readonly id?: string }): ProcessStatus {
  return holder.id === me.id ? 'lives' : processStatusOf(holder, me)
}

/**
 * Id of a lease owner whose program has certainly ended, so that its lease need not be waited for; else null.
 * @param me this program
 */
export function endedOwnerId(holder: StoredOwner | null, me: Owner): string | null {
  return holder !== null && ownerStatus(holder, me) === 'ended' ? holder.id : null
}
