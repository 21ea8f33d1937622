/** Where a lease stands: in the row of the work that it is for, so that whoever changes the row by hand changes the lease with it. */
import { fateOf, type Fate, type Owner, type ProcessIdentity, type StoredIdentity } from '../../../shared/owner.ts'
import type { SqlRow, SqlValue } from '../../../model/run/sql-port.ts'

/** Names of the columns of a lease. */
export type LeaseColumns = {
  /** Id of the owner; NULL, or `until` in the past, is nobody. */
  readonly owner: string
  readonly host: string
  readonly pid: string
  readonly machine: string
  readonly started: string
  /** Until when a silent owner is believed, in ms by the clock of the database. */
  readonly until: string
}

/** Of rows that have one lease. */
export const LEASE_COLUMNS: LeaseColumns = {
  owner: 'owner',
  host: 'host',
  pid: 'pid',
  machine: 'machine',
  started: 'process_started',
  until: 'lease_until',
}

/** Whoever a row names. */
export type Holder = StoredIdentity & { readonly id: string }

/** The columns that say who holds it, in the order of `holderOf` and `ownerValues`. */
export function ownerColumns(columns: LeaseColumns): readonly string[] {
  return [columns.owner, columns.host, columns.pid, columns.machine, columns.started]
}

/** Values of `ownerColumns`. */
export function ownerValues({ id, host, pid, machine, started }: Owner): readonly (string | number | null)[] {
  return [id, host, pid, machine, started]
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const IS_ID = new RegExp(`^${UUID}$`)
/** As programs up to 1.0 named those who divide a table: host, number of the process, and an id. */
const OLD_PLANNER = new RegExp(`^(.*)/(\\d+)/${UUID}$`)

/**
 * Whoever a row names; null where nobody does.
 * @param row values of `ownerColumns`, numbers also as texts
 */
export function holderOf(row: SqlRow): Holder | null {
  const [id, host, pid, machine, started] = row
  if (id == null) return null
  const stored = { id: String(id), host: textOf(host), pid: pid == null ? null : Number(pid) }
  if (IS_ID.test(stored.id)) return { ...stored, machine: textOf(machine), started: textOf(started) }
  // An older program knows no other columns: what stands in them is of somebody before.
  const [, name = stored.host, number = stored.pid] = OLD_PLANNER.exec(stored.id) ?? []
  return { id: stored.id, host: name, pid: number === null ? null : Number(number), machine: null, started: null }
}

/** What is known of whoever a row names. @param me this program */
export function fateOfHolder(holder: Holder, me: ProcessIdentity & { readonly id?: string }): Fate {
  return holder.id === me.id ? 'lives' : fateOf(holder, me)
}

/** The id of whoever a row names, where that has ended for sure: its lease need not be waited for. @param me this program */
export function endedHolder(holder: Holder | null, me: Owner): string | null {
  return holder !== null && fateOfHolder(holder, me) === 'ended' ? holder.id : null
}

function textOf(value: SqlValue | undefined): string | null {
  return value == null ? null : String(value)
}
