/**
 * Declaration of a system: its URLs, and what it can open. It imports no driver; code is loaded on demand. Properties
 * of an open database are in `StoreAbilities`.
 */
import type { LakeStore } from '../model/lake/lake-store.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { LogWriter } from '../model/lake/log-writer.ts'
import type { Clock } from '../shared/clock.ts'
import { SluiceError } from '../shared/errors.ts'
import type { CassandraCopyRequest } from './cassandra/copy/index.ts'
import type { Capability } from '../model/copy/offers.ts'
import type { CopyStore } from '../model/copy/port.ts'
import type { StoreRetry } from './common/store-retry.ts'
import type { Checks, ServerPreflight, PreflightTarget } from './common/preflight-port.ts'
import type { OpenMode, SqlDatabase } from '../model/run/sql-port.ts'
import type { DatabaseRetirement } from '../model/partition/retirement-port.ts'
import type { RunQueue } from '../model/share/queue-port.ts'
import type { QueueRights } from '../model/share/queue-rights-port.ts'
import type { Route } from '../model/run/route.ts'

export type SystemDeclaration = {
  /** As in `CopyStore.system` and `SqlReader.dialect`. */
  readonly name: string
  /** Display name. */
  readonly title: string
  /** Schemes of its URLs, before `://`, in lower case; the first one is printed. */
  readonly schemes: readonly [string, ...string[]]
  /** Example URL for hints; also for catalogs, unless `catalog` has its own. */
  readonly example: string
  /** Systems of one family print and parse each other's texts. */
  readonly family: string
  /** For systems whose database is one file. */
  readonly file?: FileDeclaration
  readonly catalog?: CatalogDeclaration
  readonly copies?: CopyDeclaration
  /**
   * Opens the queue of workers in one of its databases, for systems that can hold one.
   * @throws SluiceError CONNECT_FAILED, LEDGER_NEWER, TARGET_DENIED
   */
  readonly queue?: (url: string, mode: 'read' | 'work', slots: number) => Promise<RunQueue>
  /**
   * Opens a database with a queue to plan and grant rights in it, for systems that can hold a queue.
   * @throws SluiceError CONNECT_FAILED, TARGET_DENIED
   */
  readonly queueRights?: (url: string) => Promise<QueueRights>
  /** For systems without `catalog`: why sluice sends them no statement that a user typed, in one sentence. */
  readonly unasked?: string
  /** For systems without `catalog`: checks of `doctor` in a database without a catalog. */
  readonly inspect?: (checks: Checks, url: string, clock: Pick<Clock, 'now'>) => Promise<void>
  /** For systems that run in this process: the package with the native module, and its version. */
  readonly native?: { readonly module: string; version(): Promise<string> }
}

export type FileDeclaration = {
  /** True if a file is one of its databases, by its first 16 bytes. */
  isOne(head: Buffer): boolean
  /** Other files that need the same rights, in words; absent if there are none. */
  readonly alsoNeeded?: string
}

/** Where a catalog is: a file by its absolute path, or a server by its URL. */
export type CatalogPlace =
  { readonly file: string; readonly label: string } | { readonly url: string; readonly label: string }

/** The URL of a catalog, for systems whose catalogs are on servers. @throws SluiceError INTERNAL for a file */
export function urlOf(place: CatalogPlace): string {
  if ('url' in place) return place.url
  throw new SluiceError('INTERNAL', `${place.label} is a file, not a server`)
}

/** The path of a database, for systems whose databases are files. @throws SluiceError INTERNAL for a server */
export function databaseFile(place: { readonly file?: string | null; readonly label?: string }): string {
  if (typeof place.file === 'string') return place.file
  throw new SluiceError('INTERNAL', `${place.label ?? 'the URL'} does not name a file`)
}

export type CatalogOptions = {
  /** Route to a database server. */
  readonly route?: Route | undefined
  /** Longest time (ms) for retries of server errors while a user waits; absent: as in the URL. */
  readonly retryLimitMs?: number
  /** Threads that the database uses, for systems whose `catalog` has `threads`. */
  readonly threads?: number
  /**
   * True if writes change only rights, not rows. Such writes run no code of other roles, so trust in these roles is
   * not checked.
   */
  readonly rightsOnly?: true
}

export type CatalogDeclaration = {
  /** Example URLs of a catalog for hints; absent: the example of the system. */
  readonly example?: string
  /** True if `schema=NAME` in its URL selects the catalog's schema; otherwise a text about what users do instead. */
  readonly schema: true | { readonly instead: string }
  /**
   * True if a database can be opened only once at a time. So it is closed between two queries: otherwise it would block
   * every run.
   */
  readonly oneOpener?: true
  /** True if the database works in threads of this process, whose number can be set. */
  readonly threads?: true
  /** @throws SluiceError CONNECT_FAILED, BAD_CONFIG … */
  open(place: CatalogPlace, mode: OpenMode, options: CatalogOptions): Promise<SqlDatabase>
  /**
   * Checks a server; absent for files. Uses `connect_timeout` and `retry_seconds` of the URL. @throws SluiceError
   * BAD_CONFIG
   */
  readonly server?: (url: string) => Promise<ServerPreflight>
}

export type CopyOptions = {
  /** `plan`: read-only like `read`, but a missing file is an empty database. */
  readonly mode: 'read' | 'write' | 'plan'
  /** Longest wait of reads for other sessions' locks, ms, in systems where reads wait; absent: no limit. */
  readonly lockWaitMs?: number
  /**
   * True if the caller can read a table again in another view. An error for a table that is emptied or rewritten during
   * a read is then retryable; the stream contains the changes of the table.
   */
  readonly moving?: true
  /**
   * True if a read ends with SOURCE_BUSY when another session waits for an exclusive lock on its table. The caller
   * repeats the read.
   */
  readonly yields?: true
  /**
   * True if the server ends the sessions of a view when this program is frozen for as long as a lease. By then another
   * program continues the work, and must not wait for the locks of these sessions.
   */
  readonly mortal?: true
  /** Rows per INSERT, if a service takes them in statements. */
  readonly rowsPerInsert?: number
  /** Called when the store must wait for a service. */
  readonly onThrottle?: (why: { readonly status: number; readonly waitMs: number }) => void
  /** Called when the store repeats a request without its caller: while it is opened, and later within a chunk. */
  readonly onRetry?: (again: StoreRetry) => void
  /** How Cassandra is read and written, if the run sets it. */
  readonly cassandra?: CassandraCopyRequest
  /** Called for rows that could only be written at ONE, with table and key in the target. */
  readonly onWeakWrite?: (table: string, key: readonly (string | null)[], why: string) => void
}

export type CopyDeclaration = {
  /** As in `StoreAbilities.atomic` of its stores. */
  readonly atomic: 'chunk' | 'batch' | 'row'
  /** Names in `CopyStore.offers` of its stores. */
  readonly offers: readonly Capability[]
  /** True if a batch holds only rows of one partition; absent if a batch holds the rows of one write to the target. */
  readonly batchesByPartition?: true
  /** Display names of the systems in which its stores can keep the tables of the Cassandra Data Migrator. */
  readonly tracks?: readonly string[]
  /** Names of the parts of `CopyStore.identity` between its slashes; absent if it is shown as a whole. */
  readonly identity?: readonly string[]
  /**
   * @param place the URL, and its file for systems that have one
   * @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, CONNECT_FAILED
   */
  open(place: { readonly url: string; readonly file: string | null }, options: CopyOptions): Promise<CopyStore>
  /**
   * Opens the server of a database that is to be retired, for systems with several databases per server. The database
   * itself need not accept connections.
   * @throws SluiceError BAD_CONFIG, BAD_FLAG, CONNECT_FAILED
   */
  retire?(
    url: string,
    options: { readonly mode: 'read' | 'write'; readonly maintenance?: string | undefined },
  ): Promise<DatabaseRetirement>
}

/** A kind of storage for lakes. */
export type LakeDeclaration = {
  /** As distinguished by `parseLakeUrl`. */
  readonly kind: 'local' | 'bucket'
  /** True if requests are sent over a network, so that a route can delay them. */
  readonly wire: boolean
  /** @throws SluiceError BAD_CONFIG, NO_SUCH_PATH */
  openLog(path: string, options: { readonly route?: Route | undefined }): Promise<LogStore>
  /** @throws SluiceError BAD_CONFIG, NO_SUCH_PATH */
  openLake(path: string): Promise<LakeStore>
  /** @throws SluiceError BAD_CONFIG */
  openWriter(path: string): Promise<LogWriter>
  /**
   * For lakes that need credentials: where these were found (`found`), and the address for requests (`target`).
   * @throws SluiceError BAD_CONFIG, SOURCE_DENIED
   */
  readonly credentials?: (path: string) => Promise<{ readonly found: string; readonly target: PreflightTarget }>
}
