/**
 * One table for fuzz tests: a copy that is damaged and restored, and the results of reader, importer, discover and
 * validator on the damaged bytes. Methods add violations to `problems`; their results are for comparison.
 */
import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readableTable } from '../../src/catalog/catalog.ts'
import type { ImportResult } from '../../src/catalog/import/import-table.ts'
import { activeFiles } from '../../src/catalog/query/files.ts'
import { domainsAt, stateAt, txnsAt } from '../../src/catalog/query/state.ts'
import { validateTable } from '../../src/catalog/validate/index.ts'
import type { DeletionVectorDescriptor } from '../../src/delta/actions.ts'
import { listLog } from '../../src/delta/listing.ts'
import { commitName } from '../../src/delta/log-path.ts'
import { canonicalPath } from '../../src/delta/paths.ts'
import { probeTable, type TableFacts } from '../../src/delta/probe.ts'
import type { LogSegment } from '../../src/delta/segment.ts'
import { DeltaTable } from '../../src/delta/table.ts'
import { parquetRows } from '../../src/engine/run/registry.ts'
import { NEVER } from '../../src/shared/abort.ts'
import { SluiceError } from '../../src/shared/errors.ts'
import { openDuckdb } from '../../src/stores/duckdb/sql-database.ts'
import { openLocalLog } from '../../src/stores/local/index.ts'
import type { SqlDatabase } from '../../src/model/run/sql-port.ts'
import { openSqlite } from '../../src/stores/sqlite/sql-database.ts'
import { dumpCatalog, importInto, openCatalog, temporaryFolder } from './catalog-kit.ts'
import { Files } from './fuzz-mutations.ts'
import { fileText, metadataText, naivePicture, pairs, parquetObjects, protocolText, type Picture } from './fuzz-twin.ts'

const signal = new AbortController().signal
/** No operation on the undamaged table takes a second. */
const HANG_MS = 10_000

/** The value of a call, or an error that users may see. */
export type Seen<T> =
  { readonly value: T; readonly error: null } | { readonly value: null; readonly error: SluiceError }

export type ReaderView = { readonly picture: Picture; readonly segment: LogSegment; readonly notes: readonly string[] }
export type ImportView = { readonly picture: Picture; readonly result: ImportResult; readonly historyFrom: number }

/** Errors that a damaged log may cause. Any other error is a bug: INTERNAL, an error of a target, or another class. */
function isFair(error: unknown): error is SluiceError {
  return (
    error instanceof SluiceError &&
    (error.kind === 'source' || error.kind === 'unsupported' || error.code === 'VERSION_NOT_FOUND') &&
    error.code !== 'LOG_CHANGED'
  )
}

export class Lab implements Disposable {
  readonly files: Files
  readonly folder: string
  readonly problems: string[] = []
  readonly #home = temporaryFolder()
  readonly #template: string
  #catalogs = 0

  private constructor(source: string) {
    this.folder = join(this.#home.path, 'table')
    this.#template = join(this.#home.path, 'empty.db')
    // A log reader ignores data files; deletion vectors are among them.
    this.files = new Files(source, this.folder, (file) => file.startsWith('_delta_log') || file.endsWith('.bin'))
  }

  static async open(source: string): Promise<Lab> {
    const lab = new Lab(source)
    const empty = await openCatalog(lab.#template)
    await empty.close()
    return lab
  }

  [Symbol.dispose](): void {
    this.#home[Symbol.dispose]()
  }

  /** A call with a time limit; its error must be one that a damaged log may cause. */
  async attempt<T>(what: string, run: () => Promise<T>): Promise<Seen<T>> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${HANG_MS} ms`)), HANG_MS)
    })
    try {
      return { value: await Promise.race([run(), late]), error: null }
    } catch (error) {
      if (!isFair(error)) {
        const { stack } = error instanceof Error ? error : new Error(String(error))
        const code = error instanceof SluiceError ? `${error.code} ` : ''
        this.problems.push(`${what}: ${code}${stack?.split('\n').slice(0, 4).join(' ') ?? ''}`)
      }
      const seen = error instanceof SluiceError ? error : new SluiceError('INTERNAL', String(error))
      return { value: null, error: seen }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Everything that the reader returns for a version; adds a problem if the reference implementation disagrees. */
  async reader(what: string, version?: number): Promise<Seen<ReaderView>> {
    const seen = await this.attempt(what, async () => {
      const table = await DeltaTable.open(openLocalLog(this.folder), parquetRows, signal)
      let view = await this.#look(what, table, version)
      // If a checkpoint fails half-way, some answers come from before and some from after: query again.
      if (view.notes.length > 0) view = await this.#look(what, table, version)
      return view
    })
    if (seen.value !== null) {
      const { checkpoint, commits } = seen.value.segment
      await this.agrees(
        `${what} and its twin`,
        seen.value.picture,
        checkpoint,
        commits.map(({ name }) => name),
      )
    }
    return seen
  }

  async #look(what: string, table: DeltaTable, version?: number): Promise<ReaderView> {
    const snapshot = await table.snapshot(version === undefined ? {} : { version })
    for await (const _ of snapshot.tombstones(signal)) void _
    const files: string[] = []
    let bytes = 0n
    for await (const block of snapshot.files({ signal })) {
      for (const { add, path, dvId } of block) {
        files.push(fileText(path, dvId, add))
        bytes += BigInt(add.size)
      }
    }
    const counts = await snapshot.counts(signal)
    if (counts.files !== files.length || counts.bytes !== bytes) {
      this.problems.push(`${what}: counts ${counts.files}/${counts.bytes}, files ${files.length}/${bytes}`)
    }
    const { protocol, metadata, txns, domains } = await snapshot.state(signal)
    return {
      picture: {
        files: files.toSorted(),
        protocol: protocolText(protocol),
        metadata: metadataText(metadata),
        txns: pairs([...txns.values()].map((one) => [one.appId, String(Number(one.version))])),
        domains: pairs([...domains.values()].map((one) => [one.domain, one.configuration])),
      },
      segment: snapshot.segment,
      notes: table.notes,
    }
  }

  /** Reads history and changes to their ends: where both are readable, they count the same adds and removes. */
  async stories(): Promise<void> {
    const listed = await this.attempt('open', () => DeltaTable.open(openLocalLog(this.folder), parquetRows, signal))
    if (listed.value === null) return
    const table = listed.value
    const history = await this.attempt('history', async () => {
      const reported = new Map<number, number>()
      for await (const one of table.history({ signal })) reported.set(one.version, one.adds + one.removes)
      return reported
    })
    if (history.value === null || history.value.size === 0) return
    const notified = history.value
    const [from, to] = [Math.min(...notified.keys()) - 1, Math.max(...notified.keys())]
    const changes = await this.attempt('changes', async () => {
      const counted = new Map<number, number>()
      for await (const { change, version } of table.changes(from, to, signal)) {
        if (change === 'added' || change === 'removed') counted.set(version, (counted.get(version) ?? 0) + 1)
      }
      return counted
    })
    for (const [version, count] of changes.value === null ? [] : notified) {
      const other = changes.value?.get(version) ?? 0
      if (other !== count) this.problems.push(`history counts ${count} at ${version}, changes ${other}`)
    }
  }

  probe(): Promise<Seen<TableFacts>> {
    return this.attempt('probe', async () => {
      const facts = await probeTable(openLocalLog(this.folder), parquetRows, signal)
      if (facts.refusal !== null && !isFair(facts.refusal)) throw facts.refusal
      return facts
    })
  }

  /** A path for a new, empty catalog. */
  emptyCatalog(): string {
    const file = join(this.#home.path, `catalog-${this.#catalogs++}.db`)
    copyFileSync(this.#template, file)
    return file
  }

  forget(catalog: string): void {
    for (const end of ['', '-wal', '-shm']) rmSync(catalog + end, { force: true })
  }

  /**
   * Imports into a catalog file and reads the result by SQL; adds a problem if the reference implementation disagrees.
   */
  async importer(catalog: string, batchSize: number): Promise<Seen<ImportView>> {
    const database = openSqlite(catalog, 'write')
    try {
      const seen = await this.attempt('import', async () => {
        const result = await importInto(database, this.folder, { batchSize })
        const { version, historyFrom } = await readableTable(database, { tableId: 't' })
        return { result, historyFrom, picture: await this.#sqlPicture(database, version) }
      })
      if (seen.value === null) await this.#expectWholeVersion(database)
      else {
        const { result, historyFrom, picture } = seen.value
        if (result.files !== picture.files.length) {
          this.problems.push(`import: ${result.files} files counted, ${picture.files.length} active`)
        }
        const listing = await listLog(openLocalLog(this.folder), { signal })
        const held = new Set(listing.commits.map(({ name }) => name))
        const fromNothing = historyFrom === 0 && held.has(commitName(0))
        const base = fromNothing ? null : (listing.checkpoints.find((one) => one.version === historyFrom) ?? null)
        const first = fromNothing ? 0 : historyFrom + 1
        const commits = listing.commits.filter(({ version }) => version >= first).map(({ name }) => name)
        await this.agrees('import and its twin', picture, base, commits)
      }
      return seen
    } finally {
      await database.close()
    }
  }

  async #sqlPicture(database: SqlDatabase, version: number): Promise<Picture> {
    const { root } = openLocalLog(this.folder)
    const files: string[] = []
    for await (const page of activeFiles(database, 't', version)) {
      for (const file of page) {
        files.push(
          fileText(canonicalPath(file.path, root), file.dvId, {
            size: file.size,
            modificationTime: file.modificationTime,
            partitionValues: JSON.parse(file.partitionValues) as Record<string, string | null>,
            stats: file.stats,
            deletionVector:
              file.deletionVector === null ? null : (JSON.parse(file.deletionVector) as DeletionVectorDescriptor),
          }),
        )
      }
    }
    const { protocol, metadata } = await stateAt(database, 't', version)
    const txns = await txnsAt(database, 't', version)
    const domains = await domainsAt(database, 't', version)
    return {
      files: files.toSorted(),
      protocol: protocolText(protocol),
      metadata: metadataText(metadata),
      txns: pairs(txns.map((one) => [one.appId, String(Number(one.version))])),
      domains: pairs(domains.map((one) => [one.domain, one.configuration])),
    }
  }

  /** A failed import leaves a whole version or nothing visible. */
  async #expectWholeVersion(database: SqlDatabase): Promise<void> {
    const found = await database.all(
      `SELECT t.current_version, t.num_files, count(f.file_no)
       FROM delta_tables t LEFT JOIN delta_active_files f ON f.table_id = t.table_id GROUP BY t.table_id`,
    )
    for (const [version, files, seen] of found) {
      if (seen !== (version === null ? 0 : files))
        this.problems.push(`failed import: ${String(seen)} of ${String(files)} files show`)
    }
  }

  /** The catalog as text, without the list of imports. */
  async dump(catalog: string): Promise<string> {
    await using database = openSqlite(catalog, 'read')
    const text = await dumpCatalog(database)
    return text.slice(0, text.indexOf('migration_status'))
  }

  /** Checks that found a difference, each with its second source. */
  async validate(catalog: string): Promise<Seen<readonly string[]>> {
    await using database = openSqlite(catalog, 'read')
    return await this.attempt('validate', async () => {
      const unequal: string[] = []
      await validateTable({
        catalog: database,
        tableId: 't',
        log: openLocalLog(this.folder),
        scratch: () => openDuckdb(':memory:', 'write', { memoryLimit: '512MB', threads: 1 }),
        samples: 2,
        checkpoints: Infinity,
        now: Date.now(),
        random: () => 0.5,
        interrupt: NEVER,
        emit: (event) => {
          if (event.type === 'verify.check' && !event.equal) unequal.push(`${event.witness}: ${event.check}`)
          if (event.type === 'verify.mismatch')
            unequal.push(`  ${event.check} ${event.field}: ${event.log} | ${event.catalog}`)
        },
        table: 't',
      })
      return unequal
    })
  }

  /** Number of rows by kind of a Parquet file of the log; null if it cannot be read. */
  async kinds(file: string): Promise<ReadonlyMap<string, number> | null> {
    const seen = await this.attempt(`rows of ${file}`, () => parquetObjects(join(this.folder, file)))
    if (seen.value === null) return null
    const counts = new Map<string, number>()
    for (const object of seen.value) for (const kind in object) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    return counts
  }

  async agrees(
    what: string,
    picture: Picture,
    checkpoint: LogSegment['checkpoint'],
    commits: readonly string[],
  ): Promise<void> {
    try {
      const { root } = openLocalLog(this.folder)
      const difference = differenceOf(picture, await naivePicture(this.folder, root, { checkpoint, commits }))
      if (difference !== null) this.problems.push(`${what}: ${difference}`)
    } catch (error) {
      this.problems.push(`${what}: the twin cannot read it (${String(error)})`)
    }
  }
}

/** The difference of two pictures, or null. */
export function differenceOf(a: Picture, b: Picture): string | null {
  for (const field of ['files', 'txns', 'domains'] as const) {
    const [left, right] = [a[field], b[field]]
    const extra = left.find((text) => !right.includes(text))
    const missing = right.find((text) => !left.includes(text))
    if (extra !== undefined || missing !== undefined || left.length !== right.length) {
      return `${field} ${left.length}/${right.length}: ${extra ?? ''} | ${missing ?? ''}`
    }
  }
  for (const field of ['protocol', 'metadata'] as const) {
    if (a[field] !== b[field]) return `${field}: ${a[field]} | ${b[field]}`
  }
  return null
}

/**
 * Checkpoints rewrite or drop statistics and reformat the schema: without these parts, two sources of one state are
 * equal.
 */
export function withoutStyle(picture: Picture): Picture {
  return {
    ...picture,
    metadata: picture.metadata.replaceAll(/(?<=[:,{}[\]]) +/g, ''),
    files: picture.files.map((text) => JSON.stringify((JSON.parse(text) as unknown[]).with(5, null))).toSorted(),
  }
}

/** What a crash or a missing cleanup leaves: private folders of Parquet readers, and open files. */
export function leftovers(): { readonly folders: readonly string[]; readonly open: number } {
  const folders = readdirSync(tmpdir()).filter((name) => !name.startsWith('sluice-test-'))
  return { folders, open: readdirSync('/proc/self/fd').length }
}
