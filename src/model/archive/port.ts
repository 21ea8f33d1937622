/** What a source offers to archives, beside what every copy needs of it: its own partitions, and rows that are taken out of it once they are proved. */
import type { TableName, TableSpec } from '../copy/column-type.ts'
import type { Range } from '../copy/range.ts'
import type { Digest } from '../copy/rows.ts'
import type { Closing, Statement } from '../run/ledger-port.ts'
import type { ReadColumn } from '../copy/read-column.ts'

/** A partition that the system itself keeps as a table. */
export type NativePartition = {
  readonly table: TableSpec
  /** The table's own number, that a new table under its name does not have. */
  readonly identity: string
  /** Bounds of the one column that the parent is partitioned by, as the system prints values: the first is in it, the second is not. Null is open. */
  readonly from: string | null
  readonly to: string | null
  readonly isDefault: boolean
  readonly rows: bigint
  readonly bytes: bigint
  /** Why it cannot be taken out of its parent, in words; null where it can. */
  readonly blocked: string | null
  /** Whether its detach was begun outside of a transaction, and has not ended: no statement that begins now finds its rows through the parent. */
  readonly isLeaving: boolean
  /** Whether it is partitioned itself. Whoever reads it then keeps others from leaving the table, until his transaction ends. */
  readonly isDivided: boolean
  /** What it has beyond what its parent gives it, in a few words: it is kept when the partition leaves. Null where that is nothing. */
  readonly own: string | null
}

/** The table that a partition is, wherever it stands. */
export type PartitionTable = Pick<NativePartition, 'table' | 'identity'>

/** A table by its name and its number. */
export type NumberedName = { readonly table: TableName; readonly identity: string }

export type NativePartitions = {
  /** Column that partitions are ranges of. */
  readonly by: string
  readonly partitions: readonly NativePartition[]
}

/** `differs`: the rows are not the ones that were proved, and nothing was done. `gone`: the table is not there, or another one is in its place. */
export type StepEnd = 'done' | 'differs' | 'gone' | 'fenced'

export type PartitionRequest = {
  readonly parent: TableName
  readonly partition: TableName
  readonly identity: string
  readonly columns: readonly ReadColumn[]
  /** What its rows have to come to; null where they count as they are. */
  readonly expect: Digest | null
  /** Ends the transaction in the ledger. */
  readonly closing: Closing
  readonly signal: AbortSignal
}

/** What a partition has beyond what its parent gives it goes into the ledger before the partition leaves: indexes, triggers, grants, comments, storage. */
export type Keeping = {
  /** Notes it, in the transaction of the step. @param own text for the ledger */
  readonly keep?: (own: string) => Statement
}

/** How long locks are waited for where everybody waits behind them. */
export type Leaving = {
  /** Most that others should have to wait because of one try, ms. */
  readonly patienceMs: number
  /** How long it is tried, ms. */
  readonly budgetMs: number
  /** No further try begins once it fires. */
  readonly stop: AbortSignal
}

/** How it ended, how often others were in the way, and the longest time from the first lock that was asked for to the end of a transaction, ms. */
export type Left = { readonly end: StepEnd; readonly tries: number; readonly longestMs: number }

/** A detach outside of any transaction, which waits for statements that run for long without keeping others waiting. */
export type LeavingBegun = {
  /** Commits the intent; nothing begins where it did not land. */
  readonly begun: Closing
  /** Ends the transaction in which the table moves, in place of `closing`. */
  readonly left: Closing
}

/**
 * Where a partition stands whose detach may have begun: `in` its parent; `pending`: no statement that begins now finds its rows through the parent; `out` of it, in
 * its place; `away` in the schema for what is archived; `gone`.
 */
export type LeaveStanding = 'in' | 'pending' | 'out' | 'away' | 'gone'

/** It comes back with the rows. */
export type Giving = {
  /** What was kept; absent where nothing was. */
  readonly own?: string
  /** Told once all is committed: what the system refused to make again, and why. */
  readonly notGiven?: (what: string, why: string) => void
}

/** Columns of a table that has left, beside those that its parent has now. */
export type Reshape = {
  readonly dropped: readonly string[]
  readonly renamed: readonly { readonly from: string; readonly to: string }[]
}

/** Rows of a partition that come where others stand between its bounds by now. */
export type BesideRequest = PartitionRequest & {
  /** For messages. */
  readonly label: string
  /** Columns of the table now that rows get values in, and what these rows come to in them. */
  readonly came: readonly ReadColumn[]
  readonly expectCame: Digest
  /** Names of these columns in the detached table, in the same order. */
  readonly sources: readonly string[]
  /** Names of the key's columns in the table. */
  readonly key: readonly string[]
}

/** Triggers and rules of a plain table that fire when rows are deleted or inserted, in words. */
export type RowTriggers = {
  /** Those that may change a row or keep it where it is. */
  readonly changing: readonly string[]
  /** Those that do something else. */
  readonly firing: readonly string[]
  /** Whether none of them fires in transactions that take archived rows out or bring them back. */
  readonly quiet: boolean
  /** What to do about those that may change a row, as a hint. */
  readonly remedy: string
  /** Whether their bodies are functions that sluice does not read: then those of `firing` may change other rows of the table. */
  readonly unread?: true
  /** How the system keeps rows of the table that were deleted, and the statement that removes them; absent where it keeps none. */
  readonly history?: { readonly by: string; readonly remedy: string }
}

/** Tables that have rows of others: `above`, whose rows include those of a table; `below`, whose rows are also those of a table. */
export type Kin = { readonly above: readonly TableName[]; readonly below: readonly TableName[] }

export type Inheritance = { readonly parents: readonly TableName[]; readonly heirs: readonly TableName[] }

/** A partition that had left its parent. @property numbered whether its number was given by this database */
export type LeftTable = {
  readonly table: TableName
  readonly identity: string
  readonly from: string | null
  readonly to: string | null
  readonly numbered: boolean
}

/** Partitions of one system that are tables. Every change and its closing are one transaction. */
export interface PartitionStore {
  /**
   * The partitions of a table, by their lower bounds.
   * @returns null for a table that is not partitioned
   * @throws SluiceError UNSUPPORTED_TYPE where it is partitioned in another way than by ranges of one column
   */
  list(parent: TableSpec, signal: AbortSignal): Promise<NativePartitions | null>
  /**
   * Takes a partition out of its parent into the schema for what is archived, without a look at its rows. Tries for the locks as often as the budget allows, each
   * time for less than the patience. After half of it, where the system can, the detach is begun outside of a transaction, and ended as soon as the statements that were
   * running then have ended.
   * @returns `differs` where it has other columns than were archived
   * @throws SluiceError TARGET_BUSY where others keep it in use, STOPPED
   */
  leave(request: Omit<PartitionRequest, 'expect'> & Keeping & Leaving & Partial<LeavingBegun>): Promise<Left>
  /**
   * Ends what `leave` began and did not end: the table moves, in one transaction with the closing. A session that could still begin it is ended.
   * @returns `in` where it has not begun: nothing was done, and nothing is going to begin it any more
   * @throws SluiceError TARGET_BUSY as `leave`, STOPPED
   */
  endLeave(request: Omit<PartitionRequest, 'expect'> & Leaving): Promise<StepEnd | 'in'>
  /** Where it stands now, and the table as it can be read there; null where it is gone. */
  leaving(
    request: Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>,
    signal: AbortSignal,
  ): Promise<{ readonly standing: LeaveStanding; readonly table: TableSpec | null }>
  /** Asks for the rights that `leave` needs, before any row is stored elsewhere. @throws SluiceError TARGET_DENIED, with the statement that gives what is missing */
  requireRights(parent: TableName, signal: AbortSignal): Promise<void>
  /** Tables that a plain table inherits from, and those that inherit from it, at any distance. */
  inheritance(table: TableName, signal: AbortSignal): Promise<Inheritance>
  /**
   * Tables that a table is a partition or an heir of, and its own partitions and heirs, at any distance.
   * @param identities numbers of tables that count as those below it, with all that are below them
   */
  kin(table: TableName, identities: readonly string[], signal: AbortSignal): Promise<Kin>
  /** Whether no table has this number, and none stands where the detached one stood. */
  isGone(partition: TableName, identity: string, signal: AbortSignal): Promise<boolean>
  /** A table that has left its parent, found by its number; null where it is not there. */
  detached(partition: TableName, identity: string, signal: AbortSignal): Promise<TableSpec | null>
  /**
   * Of tables that had left the parent, those that stand below it and were attached again by hand, by their numbers. They have the name that they left with, or
   * their number, and stand where rows of their bounds may.
   */
  attached(parent: TableName, left: readonly LeftTable[], signal: AbortSignal): Promise<ReadonlyMap<string, TableName>>
  /**
   * Tables that stand where a detached one was put, and may have another number since a dump: several where neither
   * name nor number tells them apart.
   */
  detachedTables(partition: TableName, identity: string, signal: AbortSignal): Promise<readonly NumberedName[]>
  /** Looks at the rows of a detached table once more, and drops it. */
  drop(request: PartitionRequest & Keeping): Promise<StepEnd>
  /** Brings a detached table back under its name and into its parent, once it has the columns that the parent has by now. */
  attach(
    request: PartitionRequest &
      Giving & { readonly from: string | null; readonly to: string | null; readonly reshape?: Reshape },
  ): Promise<StepEnd>
  /**
   * Makes a partition that was dropped again: a table like its parent, filled with rows, compared, attached, and given what it had of its own; all in
   * one transaction.
   * @param fill writes the rows
   */
  recreate(
    request: PartitionRequest & Giving & { readonly from: string | null; readonly to: string | null },
    csv: AsyncIterable<Buffer>,
  ): Promise<StepEnd>
  /** Partitions that hold a part of a range now, by their names; the default one is not among them. */
  standing(
    parent: TableName,
    bounds: { readonly from: string | null; readonly to: string | null },
    signal: AbortSignal,
  ): Promise<readonly TableName[]>
  /**
   * Puts rows into whatever partitions stand between their bounds, and compares them there. What the partition had of its own does not come back.
   * @param csv the rows; null for those of the detached table, which goes
   * @throws SluiceError PARTITION_CHANGED where a key is taken, TABLE_REFUSED where no partition takes a row
   */
  bringBeside(request: BesideRequest, csv: AsyncIterable<Buffer> | null): Promise<StepEnd>
  /** Where a detached table stands. Of all that ever had the name of a partition, each stands under one of its own. */
  detachedName(partition: TableName, identity: string): TableName
}

/** Rows of a plain table that are taken out of it. */
export type RemoveRequest = {
  readonly table: TableSpec
  readonly columns: readonly ReadColumn[]
  readonly range: Range
  /** A condition in the SQL of the store. */
  readonly where: string | null
  /** What these rows have to come to; otherwise nothing is removed. */
  readonly expect: Digest
  readonly closing: Closing
  readonly signal: AbortSignal
}

/** How a system would find rows, by its own planner. */
export type Effort = {
  /** `scan`: it reads the whole table. */
  readonly by: 'index' | 'scan'
  /** About how many rows it reads; null where nobody knows. */
  readonly rows: bigint | null
}

/** Counts of rows in periods of one table, of stores whose conditions are SQL. Conditions are those of `CopyStore.timeCondition`. */
export interface PeriodStore {
  /** What it takes to find the rows that any of the conditions holds for. Reads no rows. */
  effort(table: TableSpec, conditions: readonly string[], signal: AbortSignal): Promise<Effort>
  /**
   * Rows of each condition as of one moment.
   * @param conditions no row fits two of them
   * @param by `index`: each is looked up by itself; `scan`: the table is read once for all of them
   */
  counts(
    table: TableSpec,
    conditions: readonly string[],
    by: Effort['by'],
    signal: AbortSignal,
  ): Promise<readonly bigint[]>
  /**
   * The column whose numbers the system gives again once the rows of a condition are gone: the highest one is among them. Null where it gives none twice, or keeps
   * the highest one; of systems that do not note which numbers they have given.
   */
  givesAgain?(table: TableSpec, condition: string, signal: AbortSignal): Promise<string | null>
}

/** A foreign key that leads to a table. */
export type Referrer = {
  /** Name of the constraint; null in systems that give it none. */
  readonly name: string | null
  /** The table whose rows refer, and its columns. */
  readonly table: TableName
  readonly columns: readonly string[]
  /** Columns that they refer to, in the same order. */
  readonly to: readonly string[]
  /** The operators by which the system compares each column of `to` with the one that refers; without it that is `=`. */
  readonly equal?: readonly string[]
  /** As the system writes it: `NO ACTION`, `CASCADE`. */
  readonly onDelete: string
  /** Whether no row is removed from the table as long as the key is there, whether or not a row refers to it. */
  readonly stopsRemoval: boolean
  /** Whether the table refers to itself. */
  readonly own: boolean
}

/** `values`: those of the referring columns of one such row, as texts. `unknown`: why nobody could look, in words. */
export type ReferringRow = { readonly values: readonly string[] } | { readonly unknown: string } | null

/** Rows that refer to none; `unknown`: why they are not counted, in words. */
export type Orphans = { readonly rows: bigint } | { readonly unknown: string }

/** Rows of a table that refer by a foreign key to rows that are gone. */
export type Dangling = { readonly columns: readonly string[]; readonly to: TableName; readonly rows: bigint }

/** Foreign keys that lead to tables. */
export interface ReferrerStore {
  /** Those of other tables and of its own, by table and name. */
  list(table: TableName, signal: AbortSignal): Promise<readonly Referrer[]>
  /**
   * Looks for one row that refers to a row of the table.
   * @param condition which rows of the table, in the SQL of the store; rows of the table itself that fit it do not count. Null means all
   * @param budgetMs the longest that it may take; systems that cannot stop a statement leave large tables alone
   * @returns null where there is none
   */
  referringRow(
    table: TableName,
    referrer: Referrer,
    condition: string | null,
    budgetMs: number,
    signal: AbortSignal,
  ): Promise<ReferringRow>
  /**
   * Counts rows that refer to a row which the table does not have. What the system refuses is `unknown`: only a lost connection is thrown.
   * @param budgetMs as `referringRow` has it
   */
  orphans(table: TableName, referrer: Referrer, budgetMs: number, signal: AbortSignal): Promise<Orphans>
  /**
   * Rows of the table that refer to rows that are gone, by foreign key; keys without such rows are left out. Absent where the sessions of the store enforce foreign keys.
   * @param condition which rows of the table, in the SQL of the store; null means all
   */
  dangling?(table: TableName, condition: string | null, signal: AbortSignal): Promise<readonly Dangling[]>
}

/** A table with the numbers of its columns by name. */
export type NumberedTable = { readonly table: TableName; readonly numbers: ReadonlyMap<string, number> }

/** By what a table is known under another name. */
export type TableIdentities =
  | {
      readonly by: 'number'
      /** Tables by the identities that `CopyStore.columnNumbers` gave of them, as they are called now; without those that are gone, or partitions of others. */
      tables(identities: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, NumberedTable>>
    }
  | {
      readonly by: 'mark'
      /** Whether a table keeps its mark when it is renamed. */
      readonly lasting: boolean
      /** By `tableText`: a text that changes when a table is dropped and created, and may when it is altered. Without tables that are gone. */
      marks(tables: readonly TableName[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>
    }
