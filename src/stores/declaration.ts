/**
 * What a system says of itself before it is opened: by which URLs people mean it, and what it opens. A declaration imports no driver; whatever it opens
 * is loaded when it is asked for. What differs once a database is open stands in `StoreAbilities` and in the store itself.
 */
import type { LakeStore } from '../model/lake/lake-store.ts'
import type { LogStore } from '../model/lake/log-store.ts'
import type { LogWriter } from '../model/lake/log-writer.ts'
import type { Clock } from '../shared/clock.ts'
import { SluiceError } from '../shared/errors.ts'
import type { CassandraCopyWish } from './cassandra/copy/index.ts'
import type { CopyStore } from '../model/copy/port.ts'
import type { OpenedAgain } from './common/opened-again.ts'
import type { Checks, ServerExam, Target } from './common/exam-port.ts'
import type { OpenMode, SqlDatabase } from '../model/run/sql-port.ts'
import type { DatabaseRetirement } from '../model/partition/retirement-port.ts'
import type { RunQueue } from '../model/share/queue-port.ts'
import type { QueueRights } from '../model/share/queue-rights-port.ts'
import type { Route } from '../model/run/route.ts'

export type SystemDeclaration = {
  /** As `CopyStore.system` and `SqlReader.dialect` have it. */
  readonly name: string
  /** As people write it. */
  readonly title: string
  /** What stands before `://` in its URLs, in lower case; the first is the one that is printed. */
  readonly schemes: readonly [string, ...string[]]
  /** Its URL in a hint: of catalogs too, unless `catalog` says another. */
  readonly example: string
  /** Systems of one family print and read each other's texts. */
  readonly family: string
  /** The file of a database, for systems whose database is one. */
  readonly file?: FileDeclaration
  readonly catalog?: CatalogDeclaration
  readonly copies?: CopyDeclaration
  /**
   * Opens the queue of workers in a database of it, of systems that can hold one.
   * @throws SluiceError CONNECT_FAILED, LEDGER_NEWER, TARGET_DENIED
   */
  readonly queue?: (url: string, mode: 'look' | 'work', slots: number) => Promise<RunQueue>
  /** Rights in a database that holds a queue, of the same systems. @throws SluiceError CONNECT_FAILED, TARGET_DENIED */
  readonly queueRights?: (url: string) => Promise<QueueRights>
  /** Why no typed statement is sent to it, in one sentence: of systems without `catalog`. */
  readonly unasked?: string
  /** What doctor looks at in a database that holds no catalog: of systems without `catalog`. */
  readonly examine?: (checks: Checks, url: string, clock: Pick<Clock, 'now'>) => Promise<void>
  /** The package with the native module, and what tells its version; of systems that run in this process. */
  readonly native?: { readonly module: string; version(): Promise<string> }
}

export type FileDeclaration = {
  /** Whether a file is one of its databases, by its first 16 bytes. */
  isOne(head: Buffer): boolean
  /** What needs the rights of the file too, in words; absent where the file is all. */
  readonly beside?: string
}

/** Where a catalog is: a file by its absolute path, or a server by its URL. */
export type CatalogPlace =
  { readonly file: string; readonly label: string } | { readonly url: string; readonly label: string }

/** Of systems whose catalogs are on servers. @throws SluiceError INTERNAL for a file */
export function urlOf(place: CatalogPlace): string {
  if ('url' in place) return place.url
  throw new SluiceError('INTERNAL', `${place.label} is a file, and no server`)
}

/** Of systems whose databases are files. @throws SluiceError INTERNAL for a server */
export function fileOf(place: { readonly file?: string | null; readonly label?: string }): string {
  if (typeof place.file === 'string') return place.file
  throw new SluiceError('INTERNAL', `${place.label ?? 'the URL'} names no file`)
}

export type CatalogOptions = {
  /** The way to a database server. */
  readonly route?: Route | undefined
  /** What a server fails is tried again no longer than this, ms, for somebody who waits for it; as its URL has it when absent. */
  readonly patienceMs?: number
  /** How many threads the database works with, of systems whose `catalog` has `threads`. */
  readonly threads?: number
  /** It changes rights alone, and no row: tables of other roles run nothing for that. */
  readonly rightsOnly?: true
}

export type CatalogDeclaration = {
  /** Its URL in a hint, where a catalog has more forms of it. */
  readonly example?: string
  /** Whether `schema=NAME` in its URL says which schema holds the catalog; else what people do instead, in words. */
  readonly schema: true | { readonly instead: string }
  /** A database has one opener at a time: held open between two questions, it would keep every run from starting. */
  readonly oneOpener?: true
  /** It works in threads of this process, and takes a number of them. */
  readonly threads?: true
  /** @throws SluiceError CONNECT_FAILED, BAD_CONFIG … */
  open(place: CatalogPlace, mode: OpenMode, options: CatalogOptions): Promise<SqlDatabase>
  /** How to look at a server; absent for files. It reads `connect_timeout` and `retry_seconds` of a URL. @throws SluiceError BAD_CONFIG */
  readonly server?: (url: string) => Promise<ServerExam>
}

export type CopyOptions = {
  /** `plan`: looked at like `read`; a file that is not there yet is an empty database. */
  readonly mode: 'read' | 'write' | 'plan'
  /** Longest that what is read waits for a lock that others have, ms, of systems where readers wait for any; absent for as long as it takes. */
  readonly lockWaitMs?: number
  /** A table that is emptied or rewritten while it is read is read again under another view: what became of it comes with a stream of changes. */
  readonly moving?: true
  /** What is read is let go, and fails with SOURCE_BUSY, where another session of the server waits for one of its tables to itself; the caller reads it again. */
  readonly yields?: true
  /** Sessions of a view are ended by the server where the program stands still for as long as a lease: another one has its work by then, and must not wait for its locks. */
  readonly mortal?: true
  /** Rows of one INSERT, where a service takes them in statements. */
  readonly rowsPerInsert?: number
  /** Where the store says that it has to wait for a service. */
  readonly onThrottle?: (why: { readonly status: number; readonly waitMs: number }) => void
  /** Called when the store sends a request again by itself: while it is opened, and later where it repeats requests within a chunk. */
  readonly onRetry?: (again: OpenedAgain) => void
  /** How Cassandra is read and written, where the run says so. */
  readonly cassandra?: CassandraCopyWish
  /** Told of rows that could only be written at ONE: their table and key in the target. */
  readonly onWeakWrite?: (table: string, key: readonly (string | null)[], why: string) => void
}

export type CopyDeclaration = {
  /** As `StoreAbilities.atomic` of its stores. */
  readonly atomic: 'chunk' | 'batch' | 'row'
  /** A batch of rows is one of a partition, and not what goes to the target at once. */
  readonly batchesByPartition?: true
  /** Systems that it can hold the tables of the Cassandra Data Migrator for, as people write them. */
  readonly tracks?: readonly string[]
  /** What the parts of `CopyStore.identity` between its slashes are, in words; absent where it is told as a whole. */
  readonly identity?: readonly string[]
  /**
   * @param place the URL, and the file that it names for systems that have one
   * @throws SluiceError UNSUPPORTED_URL, BAD_CONFIG, CONNECT_FAILED
   */
  open(place: { readonly url: string; readonly file: string | null }, options: CopyOptions): Promise<CopyStore>
  /**
   * The server of a database that is to be retired, of systems whose servers have several; the database itself need not take connections.
   * @throws SluiceError BAD_CONFIG, BAD_FLAG, CONNECT_FAILED
   */
  retire?(
    url: string,
    options: { readonly mode: 'read' | 'write'; readonly maintenance?: string | undefined },
  ): Promise<DatabaseRetirement>
}

/** Where a lake lies. */
export type LakeDeclaration = {
  /** As `parseLakeUrl` tells places apart. */
  readonly kind: 'local' | 'bucket'
  /** Whether requests go over a wire, which a route can make longer. */
  readonly wire: boolean
  /** @throws SluiceError BAD_CONFIG, NO_SUCH_PATH */
  openLog(path: string, options: { readonly route?: Route | undefined }): Promise<LogStore>
  /** @throws SluiceError BAD_CONFIG, NO_SUCH_PATH */
  openLake(path: string): Promise<LakeStore>
  /** @throws SluiceError BAD_CONFIG */
  openWriter(path: string): Promise<LogWriter>
  /** Where requests go and by whose leave, of lakes that ask for credentials. @throws SluiceError BAD_CONFIG, SOURCE_DENIED */
  readonly credentials?: (path: string) => Promise<{ readonly found: string; readonly target: Target }>
}
