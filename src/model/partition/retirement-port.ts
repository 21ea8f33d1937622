/**
 * What a system offers to those who retire a whole database after its tables have moved to another one. Everything but `contents` goes through another database of
 * the same server: a database cannot refuse its own sessions, nor drop itself.
 */
import type { TableName } from '../copy/column-type.ts'
import type { DecommissionFinding } from './decommission-port.ts'

/** A database as its server has it. */
export type DatabaseStanding = {
  /** As `CopyStore.identity`: tells it from another database of its name. */
  readonly identity: string
  readonly isOpen: boolean
  readonly connectionLimit: number
}

/** What the server has counted, as decimal texts. A counter that an older server does not have is null. */
export type DatabaseUse = {
  readonly sessions: string | null
  readonly writes: string
  /** When the counters were reset last, as the server prints it; null where they never were. */
  readonly resetAt: string | null
}

export type DatabaseLook = { readonly use: DatabaseUse; readonly findings: readonly DecommissionFinding[] }

/** A table of a user, or one of ours; partitions are a part of theirs. */
export type ContainedTable = {
  readonly table: TableName
  /** As `TableSpec.identity` begins. */
  readonly identity: string
  /** Estimate of the server; null where nobody has counted. */
  readonly rows: string | null
  readonly bytes: string
  /** Without generated ones. */
  readonly columns: readonly string[]
}

export type Contents = {
  readonly tables: readonly ContainedTable[]
  /** Large objects, which no copy brings along. */
  readonly largeObjects: string
  readonly findings: readonly DecommissionFinding[]
}

/** A session within the database, which stays when others are refused. */
export interface DatabaseInside extends AsyncDisposable {
  /** @throws SluiceError CONNECTION_LOST … */
  look(signal: AbortSignal): Promise<Contents>
  /** Rows of a table now; null where this login may not read all of them. @throws SluiceError CONNECTION_LOST … */
  count(table: ContainedTable, signal: AbortSignal): Promise<bigint | null>
}

export type Closed = {
  /** Sessions that were ended, in words. */
  readonly ended: readonly string[]
}

export interface DatabaseRetirement extends AsyncDisposable {
  /** URL without password. */
  readonly label: string
  /** Name of the database. */
  readonly name: string
  /** What the identities of all databases of its server begin with. */
  readonly server: string
  /** The database of the same server through which it is spoken to. */
  readonly through: string
  /** Keeps other programs that go through the same database from retiring this one, until this is disposed. @returns false where another one does */
  hold(): Promise<boolean>
  /** @returns null where the server has no database of that name */
  standing(signal: AbortSignal): Promise<DatabaseStanding | null>
  /** The name that the database of an identity has now; null where it is gone. */
  nameOf(identity: string, signal: AbortSignal): Promise<string | null>
  /** What the server knows of the database, also while it refuses connections. @throws SluiceError SOURCE_GONE */
  look(signal: AbortSignal): Promise<DatabaseLook>
  /** @throws SluiceError CONNECT_FAILED where it refuses connections */
  inside(signal: AbortSignal): Promise<DatabaseInside>
  /**
   * Refuses connections from here on, and ends all sessions but that of `inside`. Done twice it does no harm.
   * @throws SluiceError SOURCE_GONE, TARGET_DENIED; TARGET_BUSY where sessions do not end within `budgetMs`: connections are refused then all the same
   */
  close(identity: string, inside: DatabaseInside, budgetMs: number, signal: AbortSignal): Promise<Closed>
  /** Takes connections again, and as many as before. Done twice it does no harm. @throws SluiceError SOURCE_GONE, TARGET_DENIED */
  reopen(identity: string, connectionLimit: number, signal: AbortSignal): Promise<void>
  /**
   * Drops it, never with sessions in it.
   * @throws SluiceError SOURCE_GONE where another database has its name, TARGET_BUSY while it is used, TARGET_DENIED
   */
  drop(identity: string, signal: AbortSignal): Promise<void>
}
