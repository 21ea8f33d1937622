/**
 * What a store offers to those who retire the table that a switch has parked: what still stands in the way of removing it, and the steps of the removal. Each step
 * is one transaction with its row of the ledger.
 */
import type { TableName } from '../copy/column-type.ts'
import type { Digest } from '../copy/rows.ts'
import type { Statement } from '../run/ledger-port.ts'
import type { ReadColumn } from '../copy/read-column.ts'

/**
 * `refused`: the step does not happen while it is so. `changes`: it becomes something else with the removal. `look`: a person should look at it first. `fine`: was
 * looked at. `not known`: nobody has noted it, or this login may not see it.
 */
export type DecommissionVerdict = 'refused' | 'waits' | 'changes' | 'look' | 'fine' | 'not known'

export type DecommissionFinding = {
  readonly verdict: DecommissionVerdict
  /** Of what kind it is, such as `view`. */
  readonly about: string
  readonly object?: string
  readonly detail: string
  readonly hint?: string
}

/** Counters of reads and writes of a table, as decimal texts, and since when the server has them. */
export type TableUse = {
  readonly reads: string
  readonly writes: string
  /** When the counters of the database were reset last, as the server prints it; null where they never were. */
  readonly resetAt: string | null
  /** Time of the last read, ms since the epoch; null where there was none, absent where the server does not note it. */
  readonly lastReadMs?: number | null
}

export type ParkedTable = {
  readonly table: TableName
  /** Tells it from another table of its name. */
  readonly identity: string
}

export type ParkedLook = ParkedTable & {
  readonly use: TableUse
  /** Clock of the database, ms since the epoch. */
  readonly nowMs: number
  readonly findings: readonly DecommissionFinding[]
}

export type DecommissionStep = ParkedTable & {
  /** Gives a row while the step may happen. */
  readonly guard: Statement
  /** Longest that one try waits for a lock, ms; everybody else waits behind it. */
  readonly patienceMs: number
  /** After so long without the lock it gives up, ms. */
  readonly budgetMs: number
  readonly signal: AbortSignal
}

/** What the rows of a table came to when they were copied last. */
export type KnownRows = { readonly columns: readonly ReadColumn[]; readonly digest: Digest }

/** `fenced`: another program has done a step meanwhile. `gone`: the table is not there, or another one has its name. `differs`: its rows changed since they were copied. */
export type DecommissionEnd = 'done' | 'fenced' | 'gone' | 'differs'

export interface DecommissionStore {
  /** The table that is written like this, `schema.name`; null where there is none. */
  named(text: string, signal: AbortSignal): Promise<TableName | null>
  /**
   * Looks, and changes nothing.
   * @param heir the table that has the public name
   * @returns null where the parked table is not there
   */
  look(parked: TableName, heir: TableName, signal: AbortSignal): Promise<ParkedLook | null>
  /**
   * Takes all rights on the table away from everybody but its owner.
   * @param close the row of the ledger @param grants what was taken away, as text for `reactivate`
   * @throws SluiceError TARGET_BUSY, TARGET_DENIED
   */
  deactivate(step: DecommissionStep, close: (grants: string) => readonly Statement[]): Promise<DecommissionEnd>
  /**
   * Gives them back.
   * @param grants of `deactivate`
   * @returns with rights of roles that are not there any more, in words
   * @throws SluiceError TARGET_BUSY, TARGET_DENIED, LEDGER_DAMAGED
   */
  reactivate(
    step: DecommissionStep,
    grants: string,
    close: readonly Statement[],
  ): Promise<{ readonly end: DecommissionEnd; readonly missing: readonly string[] }>
  /**
   * Drops the table and what keeps writers from it, after sequences of its columns went to the table that has the public name. Nothing else goes with it.
   * @param expect what its rows have to come to, added up under the lock; null where nobody has noted it
   * @returns with what was done beside, in words
   * @throws SluiceError TARGET_BUSY where others keep the lock for longer than `budgetMs`, TABLE_REFUSED where something depends on it, TARGET_DENIED
   */
  drop(
    step: DecommissionStep,
    heir: TableName,
    expect: KnownRows | null,
    close: readonly Statement[],
  ): Promise<{ readonly end: DecommissionEnd; readonly also: readonly string[] }>
}
