/** What archives need of a source besides the copy port: its native partitions, and removal of rows that are proved. */
import type { TableName, TableSpec } from '../copy/column-type.ts'
import type { Range } from '../copy/range.ts'
import type { Digest, Row } from '../copy/rows.ts'
import type { Closing, Statement } from '../run/ledger-port.ts'
import type { ReadColumn } from '../copy/read-column.ts'
import type { SluiceError } from '../../shared/errors.ts'

/** A partition that the system stores as a separate table. */
export type NativePartition = {
  readonly table: TableSpec
  /** OID of the table; a new table with the same name has another OID. */
  readonly identity: string
  /** Bounds of the partition column as the system prints them: lower inclusive, upper exclusive, null is open. */
  readonly from: string | null
  readonly to: string | null
  readonly isDefault: boolean
  readonly rows: bigint
  readonly bytes: bigint
  /** Why it cannot be detached, as text; null if it can. */
  readonly blocked: string | null
  /**
   * True while a detach outside of a transaction has begun and not ended: new statements on the parent do not return
   * its rows.
   */
  readonly isLeaving: boolean
  /**
   * True if it is partitioned itself. A read of it locks the parent table until the transaction ends, so that no other
   * partition can be detached.
   */
  readonly isDivided: boolean
  /** Properties not inherited from the parent, as short text; the ledger keeps them after a detach. Null if none. */
  readonly own: string | null
}

/** The table of a partition, attached or not. */
export type PartitionTable = Pick<NativePartition, 'table' | 'identity'>

/** A table by name and OID. */
export type NumberedName = { readonly table: TableName; readonly identity: string }

export type NativePartitions = {
  /** The column of the range partitioning. */
  readonly by: string
  readonly partitions: readonly NativePartition[]
}

/**
 * End of a step. `differs`: the rows are not the proved ones, and nothing was done. `gone`: the table is missing or was
 * replaced. `fenced`: the guard of the closing failed, and nothing was done.
 */
export type StepEnd = 'done' | 'differs' | 'gone' | 'fenced'

export type PartitionRequest = {
  readonly parent: TableName
  readonly partition: TableName
  readonly identity: string
  readonly columns: readonly ReadColumn[]
  /** Expected digest of its rows; null if the rows are not checked. */
  readonly expect: Digest | null
  /** Statements of the ledger that end the transaction. */
  readonly closing: Closing
  readonly signal: AbortSignal
}

/** Records a partition's own indexes, triggers, grants, comments and storage in the ledger, before it is detached. */
export type OwnPropertiesRecord = {
  /** Records them in the transaction of the step. @param own text for the ledger */
  readonly keep?: (own: string) => Statement
}

/** Limits for locks that make all other sessions wait. */
export type DetachLimits = {
  /** Longest wait of other sessions caused by one try, ms. */
  readonly lockTimeoutMs: number
  /** Total time for tries, ms. */
  readonly retryLimitMs: number
  /** No further try begins once it fires. */
  readonly stop: AbortSignal
}

/** Result, number of failed tries, and the longest time from the first lock request to the end of a transaction, ms. */
export type DetachResult = { readonly end: StepEnd; readonly tries: number; readonly longestMs: number }

/** A detach outside of any transaction: it waits for long-running statements without blocking other sessions. */
export type ConcurrentDetach = {
  /** Commits the intent first: the detach begins only after this has succeeded. */
  readonly begun: Closing
  /** Ends the transaction that moves the table, instead of `closing`. */
  readonly left: Closing
}

/**
 * State of a partition whose detach may have begun. `in`: attached. `pending`: new statements on the parent no longer
 * return its rows. `out`: detached, in its old schema. `away`: in the schema for archived tables. `gone`: otherwise.
 */
export type DetachState = 'in' | 'pending' | 'out' | 'away' | 'gone'

/** Properties that the partition does not inherit from its parent: restored together with its rows. */
export type OwnProperties = {
  /** Properties recorded in the ledger; absent if there are none. */
  readonly own?: string
  /** Called after the commit for each property that the system refused to create, with the reason. */
  readonly notGiven?: (what: string, why: string) => void
}

/** Differences between the columns of a detached table and the current columns of its parent. */
export type ColumnChanges = {
  readonly dropped: readonly string[]
  readonly renamed: readonly { readonly from: string; readonly to: string }[]
}

/** Request to restore rows of a partition when the table already has other rows within its bounds. */
export type InsertRequest = PartitionRequest & {
  /** Name of the partition, for messages. */
  readonly label: string
  /** Current columns of the table that get values, and the expected digest of the rows in these columns. */
  readonly came: readonly ReadColumn[]
  readonly expectCame: Digest
  /** Names of these columns in the detached table, in the same order. */
  readonly sources: readonly string[]
  /** Names of the key's columns in the table. */
  readonly key: readonly string[]
}

/** Triggers and rules of a plain table that fire on DELETE or INSERT, as text. */
export type RowTriggers = {
  /** Triggers and rules that may change a row or prevent its removal. */
  readonly changing: readonly string[]
  /** All other triggers and rules. */
  readonly firing: readonly string[]
  /** True if none of them fires in transactions that remove or restore archived rows. */
  readonly quiet: boolean
  /** Hint about the triggers and rules in `changing`. */
  readonly remedy: string
  /** Set if they call functions that sluice does not read: triggers in `firing` may then change other rows. */
  readonly unread?: true
  /** How the system keeps deleted rows of the table, and the statement that removes them; absent if it keeps none. */
  readonly history?: { readonly by: string; readonly remedy: string }
}

export interface RowTriggerStore {
  /** Lists triggers and rules that fire on INSERT or DELETE of a plain table. */
  list(table: TableName, signal: AbortSignal): Promise<RowTriggers>
}

export interface RemovalStore {
  /** Error with which every removal of rows from the table would fail; null if none is known. */
  refusal(table: TableName, signal: AbortSignal): Promise<SluiceError | null>
}

/** Table inheritance: reads of `above` include the rows of the table; reads of the table include those of `below`. */
export type Relatives = { readonly above: readonly TableName[]; readonly below: readonly TableName[] }

export type Inheritance = { readonly parents: readonly TableName[]; readonly heirs: readonly TableName[] }

/** A partition that was detached. @property numbered true if `identity` is an OID that this database assigned */
export type DetachedTable = {
  readonly table: TableName
  readonly identity: string
  readonly from: string | null
  readonly to: string | null
  readonly numbered: boolean
}

/** Parent, name and bounds with which a partition is attached again. */
export type AttachRequest = Pick<PartitionRequest, 'parent' | 'partition' | 'identity'> & {
  readonly from: string | null
  readonly to: string | null
}

/** Native partitions that are tables. Every change and its closing are one transaction. */
export interface PartitionStore {
  /**
   * The partitions of a table, sorted by lower bound.
   * @returns null for a table that is not partitioned
   * @throws SluiceError UNSUPPORTED_TYPE if it is not partitioned by ranges of one column
   */
  list(parent: TableSpec, signal: AbortSignal): Promise<NativePartitions | null>
  /**
   * Moves a partition out of its parent into the schema for archived tables, without reading its rows. Retries for
   * locks within the budget, each try shorter than the lock timeout. After half of the budget, it detaches outside of a
   * transaction, if the system supports that, and finishes once the statements that were running have ended.
   * @returns `differs` if its columns are not the archived ones
   * @throws SluiceError TARGET_BUSY if other sessions keep it in use, STOPPED
   */
  detach(
    request: Omit<PartitionRequest, 'expect'> & OwnPropertiesRecord & DetachLimits & Partial<ConcurrentDetach>,
  ): Promise<DetachResult>
  /**
   * Completes a `detach` that began: moves the table in one transaction with the closing. Ends a session that could
   * still begin the detach.
   * @returns `in` if the detach has not begun: nothing was done, and nothing can begin it any more
   * @throws SluiceError TARGET_BUSY as `detach`, STOPPED
   */
  completeDetach(request: Omit<PartitionRequest, 'expect'> & DetachLimits): Promise<StepEnd | 'in'>
  /** Current state, and the table under its current name; null if it does not exist. */
  detachState(
    request: Pick<PartitionRequest, 'parent' | 'partition' | 'identity'>,
    signal: AbortSignal,
  ): Promise<{ readonly standing: DetachState; readonly table: TableSpec | null }>
  /** Checks rights that `detach` needs, before any row is exported. @throws SluiceError TARGET_DENIED with the GRANT */
  requireRights(parent: TableName, signal: AbortSignal): Promise<void>
  /** Tables that a plain table inherits from, and those that inherit from it, at any depth. */
  inheritance(table: TableName, signal: AbortSignal): Promise<Inheritance>
  /**
   * `above`: the tables of which a table is a partition or from which it inherits. `below`: its own partitions, and the
   * tables that inherit from it. Both at any depth. @param identities OIDs of tables that are treated as its partitions
   */
  relatives(table: TableName, identities: readonly string[], signal: AbortSignal): Promise<Relatives>
  /** True if no table has this OID, and no table has the name of the detached one. */
  isGone(partition: TableName, identity: string, signal: AbortSignal): Promise<boolean>
  /** A detached table, found by its OID; null if it does not exist. */
  detachedTable(partition: TableName, identity: string, signal: AbortSignal): Promise<TableSpec | null>
  /** Finds detached tables that a user attached again: by name, or by OID and bounds. Returns names by identity. */
  attached(
    parent: TableName,
    of: readonly DetachedTable[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, TableName>>
  /** Tables that may be a detached partition: the one with its name, else with its OID, else all with similar names. */
  detachedTables(partition: TableName, identity: string, signal: AbortSignal): Promise<readonly NumberedName[]>
  /** Error with which `drop` would fail now because of other objects; null if none. The table may still be attached. */
  dropRefusal(table: Pick<PartitionRequest, 'identity'>, signal: AbortSignal): Promise<SluiceError | null>
  /** Checks the rows of a detached table again, and drops it. */
  drop(request: PartitionRequest & OwnPropertiesRecord): Promise<StepEnd>
  /** Error of `attach` or `recreate` for a taken name, or rows in the default partition; null if none is known. */
  attachRefusal(request: AttachRequest, signal: AbortSignal): Promise<SluiceError | null>
  /** Attaches a detached table under its old name, after adapting its columns to the current ones of the parent. */
  attach(
    request: PartitionRequest &
      OwnProperties & { readonly from: string | null; readonly to: string | null; readonly reshape?: ColumnChanges },
  ): Promise<StepEnd>
  /**
   * Creates a dropped partition again in one transaction: creates a table like its parent, fills it, compares its rows,
   * attaches it, and restores its own properties.
   * @param csv the rows
   */
  recreate(
    request: PartitionRequest & OwnProperties & { readonly from: string | null; readonly to: string | null },
    csv: AsyncIterable<Buffer>,
  ): Promise<StepEnd>
  /** Names of the partitions that overlap a range now, without the default partition. */
  overlapping(
    parent: TableName,
    bounds: { readonly from: string | null; readonly to: string | null },
    signal: AbortSignal,
  ): Promise<readonly TableName[]>
  /**
   * Inserts rows into the partitions that now cover their bounds, and compares them there. Own properties of the
   * partition are not restored.
   * @param csv the rows; null to take the rows of the detached table, which is then dropped
   * @throws SluiceError PARTITION_CHANGED if a key is taken, TABLE_REFUSED if no partition takes a row
   */
  insertRows(request: InsertRequest, csv: AsyncIterable<Buffer> | null): Promise<StepEnd>
  /** Name of a detached table: unique, also among tables that had the same partition name. */
  detachedName(partition: TableName, identity: string): TableName
}

/** Removal of rows from a plain table. */
export type RemoveRequest = {
  readonly table: TableSpec
  readonly columns: readonly ReadColumn[]
  readonly range: Range
  /** A condition in the SQL of the store. */
  readonly where: string | null
  /** Expected digest of these rows; if it differs, nothing is removed. */
  readonly expect: Digest
  /**
   * These rows from the archive. A store without transactions reads them if an earlier attempt was interrupted: then
   * the digest no longer shows which of the remaining rows are archived.
   */
  readonly archived?: () => AsyncIterable<readonly Row[]>
  readonly closing: Closing
  readonly signal: AbortSignal
}

/** How a system would find rows, according to its planner. */
export type ScanCost = {
  /** `scan`: it reads the whole table. */
  readonly by: 'index' | 'scan'
  /** Estimated rows read; null if unknown. */
  readonly rows: bigint | null
}

/** Row counts of periods, for stores whose conditions are SQL. Conditions come from `Times.condition`. */
export interface PeriodStore {
  /** Cost of finding the rows that match any of the conditions. Reads no rows. */
  scanCost(table: TableSpec, conditions: readonly string[], signal: AbortSignal): Promise<ScanCost>
  /**
   * Row count of each condition, in one snapshot.
   * @param conditions no row matches two of them
   * @param by `index`: one query per condition; `scan`: the table is read once for all of them
   */
  counts(
    table: TableSpec,
    conditions: readonly string[],
    by: ScanCost['by'],
    signal: AbortSignal,
  ): Promise<readonly bigint[]>
  /**
   * The column whose highest numbers the system reuses once the matching rows are removed. Null if it reuses none, or
   * if the highest number stays. Only for systems that do not record the last assigned number.
   */
  reusedColumn?(table: TableSpec, condition: string, signal: AbortSignal): Promise<string | null>
}

/** A table with the attribute numbers of its columns by name. */
export type NumberedTable = { readonly table: TableName; readonly numbers: ReadonlyMap<string, number> }

/** How a table is recognised after a rename. */
export type TableIdentities =
  | {
      readonly by: 'number'
      /** Current names of tables, by identities of `ColumnFacts.numbers`. Omits partitions and missing tables. */
      tables(identities: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, NumberedTable>>
    }
  | {
      readonly by: 'mark'
      /** True if a table keeps its mark when it is renamed. */
      readonly lasting: boolean
      /** Marks by `tableText`. Recreating a table changes its mark; altering it may. Omits missing tables. */
      marks(tables: readonly TableName[], signal: AbortSignal): Promise<ReadonlyMap<string, TableMark>>
    }

/** @property isRecent true if a table that is created now may get the same mark, because marks are whole seconds */
export type TableMark = { readonly text: string; readonly isRecent: boolean }
