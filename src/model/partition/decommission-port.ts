/**
 * What a store offers to retire the old table after a cutover: the findings that prevent removal, and its steps. Each
 * step is one transaction with its ledger row.
 */
import type { LockLimits } from './maintenance-port.ts'
import type { DecommissionFindingEvent } from './events.ts'
import type { TableName } from '../copy/column-type.ts'
import type { Digest } from '../copy/rows.ts'
import type { Statement } from '../run/ledger-port.ts'
import type { ReadColumn } from '../copy/read-column.ts'

/** `fine`: checked. `not known`: not recorded, or not visible to this login. */
export type DecommissionFinding = Readonly<Omit<DecommissionFindingEvent, 'type' | 'table' | 'of'>>

/** Counters of reads and writes of a table, as decimal texts, and the time of their reset. */
export type TableUse = {
  readonly reads: string
  readonly writes: string
  /** Changes whenever the counters are reset, also by a crash of the server; null if unknown. */
  readonly resetAt: string | null
  /** Time of the last read, ms since the epoch; null if never, absent if the server does not record it. */
  readonly lastReadMs?: number | null
}

export type OldTable = {
  readonly table: TableName
  /** Differs for another table of the same name. */
  readonly identity: string
}

/** A table of a cutover: its name, and `TableSpec.identity`, as the ledger records them. */
export type RecordedTable = { readonly name: TableName; readonly identity: string }

/** Tables of a cutover. @property oldTable table to retire @property heir the table that got the public name */
export type CutoverTables = { readonly oldTable: RecordedTable; readonly heir: RecordedTable }

export type OldTableState = OldTable & {
  readonly use: TableUse
  /** Clock of the database, ms since the epoch. */
  readonly nowMs: number
  readonly findings: readonly DecommissionFinding[]
}

/** @property guard returns a row while the step is allowed */
export type DecommissionStep = OldTable & LockLimits & { readonly guard: Statement }

/** Digest of a table's rows at their last copy. */
export type KnownRows = { readonly columns: readonly ReadColumn[]; readonly digest: Digest }

/**
 * `fenced`: another program did a step meanwhile. `gone`: the table is missing or was replaced. `differs`: its rows
 * changed since they were copied.
 */
export type DecommissionEnd = 'done' | 'fenced' | 'gone' | 'differs'

export interface DecommissionStore {
  /**
   * Inspects the old table; read-only.
   * @returns `gone` if no table has its name, `other` if another table has it
   */
  inspect(tables: CutoverTables, signal: AbortSignal): Promise<OldTableState | 'gone' | 'other'>
  /**
   * Revokes all rights on the table from all roles but its owner.
   * @param close the ledger row @param grants revoked rights, as text for `reactivate`
   * @throws SluiceError TARGET_BUSY, TARGET_DENIED
   */
  deactivate(step: DecommissionStep, close: (grants: string) => readonly Statement[]): Promise<DecommissionEnd>
  /**
   * Grants the revoked rights again.
   * @param grants of `deactivate`
   * @returns `missing`: rights of roles that no longer exist, as text
   * @throws SluiceError TARGET_BUSY, TARGET_DENIED, LEDGER_DAMAGED
   */
  reactivate(
    step: DecommissionStep,
    grants: string,
    close: readonly Statement[],
  ): Promise<{ readonly end: DecommissionEnd; readonly missing: readonly string[] }>
  /**
   * Drops the table and its write protection, after moving sequences of its columns to the table with the public name.
   * Nothing else is dropped.
   * @param newTable checked again under the lock
   * @param expect expected digest of its rows, computed under the lock; null if none is recorded
   * @returns `also`: what else was done, as text
   * @throws SluiceError TARGET_BUSY if other sessions keep the lock beyond `retryLimitMs`, TABLE_REFUSED if an object
   * depends on it or `newTable` lacks its rows, TARGET_DENIED
   */
  drop(
    step: DecommissionStep,
    newTable: RecordedTable,
    expect: KnownRows | null,
    close: readonly Statement[],
  ): Promise<{ readonly end: DecommissionEnd; readonly also: readonly string[] }>
}
