/** Second pass: turns actions in log order into rows of a batch, with running totals per version. */
import { canonicalPath, dvId } from '../../delta/paths.ts'
import type {
  ActionLine,
  AddAction,
  DeletionVectorDescriptor,
  MetadataAction,
  ProtocolAction,
  RemoveAction,
} from '../../delta/actions.ts'
import { numRecordsOf } from '../../delta/stats.ts'
import type { CommitBytes } from '../../delta/commit-lines.ts'
import type { CommitFile } from '../../delta/listing.ts'
import type { LogStore } from '../../model/lake/log-store.ts'
import { SluiceError } from '../../shared/errors.ts'
import { hashInto, type HashPair } from '../../shared/hash.ts'
import { numberOrNull, textOrNull } from '../../stores/common/cells.ts'
import type { SqlDatabase, SqlValue } from '../../model/run/sql-port.ts'
import { COMMIT_COLUMNS, rowOf, SOURCE } from '../relations.ts'
import type { Batch } from './batch.ts'
import { CloseIndex, type OpenLifetime } from './close-index.ts'
import type { CommitClock } from './commit-clock.ts'
import type { Totals } from './head.ts'
import { refuseLong } from './readable.ts'
import { actionRow, domainRow, emptyTally, importedFileRow, metadataRow, protocolRow, txnRow } from './rows.ts'

const HASHES_PER_QUERY = 500
const ROOMY = 9_000_000_000_000_000

export class Replay {
  readonly #tableId: string
  readonly #log: LogStore
  readonly #database: SqlDatabase
  readonly #batch: Batch
  readonly #key: HashPair = { a: 0, b: 0 }
  #index = new CloseIndex()
  /** True if the catalog has files of this table from before this range: open lifetimes must be queried. */
  #mayHaveEarlierFiles = false
  /** Open lifetimes for the next lines, by key hash. */
  readonly #openRows = new Map<number, OpenRow[]>()
  #tally = emptyTally()
  readonly totals: Totals
  readonly times: CommitClock
  protocol: ProtocolAction | null
  metadata: MetadataAction | null
  /** Time of the last complete version, ms. */
  time: number | null
  files = 0

  constructor(
    at: { tableId: string; log: LogStore; database: SqlDatabase; batch: Batch; times: CommitClock },
    from: { totals: Totals; protocol: ProtocolAction | null; metadata: MetadataAction | null; time: number | null },
  ) {
    this.#tableId = at.tableId
    this.#log = at.log
    this.#database = at.database
    this.#batch = at.batch
    this.times = at.times
    this.totals = { ...from.totals }
    this.protocol = from.protocol
    this.metadata = from.metadata
    this.time = from.time
  }

  /** Starts the next range of commits. `lookUp`: the catalog has earlier files of this table. */
  begin(index: CloseIndex, lookUp: boolean): void {
    this.#index = index
    this.#mayHaveEarlierFiles = lookUp
  }

  /** Continues a version of which an interrupted import has already written files. */
  continueVersion(firstFileNo: number | null): void {
    this.#tally.firstFileNo = firstFileNo
  }

  /** Processes one row of the base checkpoint. `write`: false if an interrupted import has already written the row. */
  takeCheckpointLine(version: number, { line, raw, action }: ActionLine, write: boolean): void {
    const { kind } = action
    if (kind === 'add') {
      const records = numRecordsOf(action.add.stats ?? null)
      const canonical = canonicalPath(action.add.path, this.#log.root)
      const dv = dvId(action.add.deletionVector)
      hashInto(this.#key, canonical, dv)
      const slot = this.#index.slotOf(this.#key)
      const live = liveRecords(action.add, records)
      this.#opened(action.add, live)
      // The end of a row that is already written is set by an UPDATE. A new row is inserted with its end.
      if (slot !== null && !write) this.#index.markStored(slot)
      if (slot !== null && write) {
        const other = this.#index.openLifetime(slot)
        this.#index.setLifetime(slot, { size: action.add.size, records: live, fileNo: null, other })
      }
      if (write)
        this.#pushFile(
          action.add,
          raw,
          line,
          version,
          slot === null ? null : this.#index.nextVersion(slot),
          dv,
          records,
          true,
        )
      return
    }
    if (!write) {
      if (kind === 'protocol') this.protocol = action.protocol
      if (kind === 'metaData') this.metadata = action.metaData
      return
    }
    this.#keep(version, SOURCE.checkpoint, line, raw, action)
  }

  /**
   * Stores the raw line of a commit at or below the base; it has no effect on files. `ofBase`: the commit is that of
   * the base version, so its lines are counted.
   */
  takeRawLine(version: number, { line, raw, action }: ActionLine, ofBase: boolean): void {
    if (ofBase) {
      this.#tally.lines++
      if (action.kind === 'add') {
        this.#tally.adds++
        this.#tally.addedBytes += action.add.size
      } else if (action.kind === 'remove') {
        this.#tally.removes++
        this.#tally.removedBytes += action.remove.size ?? 0
      } else if (action.kind === 'commitInfo' && this.#tally.info === null) {
        this.#tally.info = { line, raw, value: action.commitInfo }
        return
      }
    }
    const kind = action.kind === 'unknown' ? `unknown:${action.name}` : action.kind
    this.#batch.actions.push(actionRow(this.#tableId, version, SOURCE.commit, line, kind, raw))
  }

  /** Queries the open lifetimes that the next lines will end, many in one query, because of the server's latency. */
  async queryLifetimes(lines: readonly ActionLine[]): Promise<void> {
    this.#openRows.clear()
    if (!this.#mayHaveEarlierFiles) return
    const hashes = new Set<number>()
    for (const { action } of lines) {
      const file = action.kind === 'add' ? action.add : action.kind === 'remove' ? action.remove : null
      if (file === null) continue
      hashInto(this.#key, canonicalPath(file.path, this.#log.root), dvId(file.deletionVector))
      const slot = this.#index.slotOf(this.#key)
      if (slot !== null && this.#index.mustQuery(slot)) hashes.add(this.#key.a)
    }
    const all = [...hashes]
    for (const hash of all) this.#openRows.set(hash, [])
    for (let start = 0; start < all.length; start += HASHES_PER_QUERY) {
      for (const row of await this.#rowsOf(all.slice(start, start + HASHES_PER_QUERY)))
        this.#openRows.get(row.keyHash)?.push(row)
    }
  }

  /** Processes a line above the base. @returns a promise only for a query: a million needless awaits would be slow */
  takeLine(version: number, line: ActionLine): Promise<void> | undefined {
    const tally = this.#tally
    const { action } = line
    tally.lines++
    if (action.kind === 'add') return this.#takeFile(version, line, action.add, true)
    if (action.kind === 'remove') return this.#takeFile(version, line, action.remove, false)
    if (action.kind === 'commitInfo' && tally.info === null) {
      tally.info = { line: line.line, raw: line.raw, value: action.commitInfo }
    } else {
      this.#keep(version, SOURCE.commit, line.line, line.raw, action)
    }
    return undefined
  }

  /** Ends a version: adds its row of `delta_commits`. `file` is null for a checkpoint without its commit. */
  async finishVersion(
    version: number,
    file: CommitFile | null,
    read: CommitBytes | null,
    modified: number,
  ): Promise<void> {
    const tally = this.#tally
    const info = tally.info?.value
    const { time, inCommit } = await this.times.next(version, info ?? null, this, modified, file !== null)
    this.time = time
    if (Math.max(this.totals.bytes, this.totals.records) > ROOMY) {
      throw new SluiceError('BAD_ACTION', `the sizes or row counts of version ${version} add up to more than 2^53`, {
        where: `${this.#log.label}/_delta_log/${file?.name ?? ''}`,
        hint: 'check the file actions for a wrong size or numRecords',
      })
    }
    this.#batch.commits.push({
      firstFile: tally.firstFile,
      row: rowOf<typeof COMMIT_COLUMNS, SqlValue>(COMMIT_COLUMNS, {
        table_id: this.#tableId,
        version,
        commit_time: time,
        in_commit_time: inCommit ? 1 : 0,
        file_mtime: Math.floor(modified),
        log_bytes: read?.bytes ?? null,
        log_digest: read?.digest ?? null,
        operation: text(info?.['operation']),
        engine: text(info?.['engineInfo']),
        commit_info: tally.info?.raw ?? null,
        commit_info_line: tally.info?.line ?? null,
        num_lines: tally.lines,
        adds: tally.adds,
        removes: tally.removes,
        added_bytes: tally.addedBytes,
        removed_bytes: tally.removedBytes,
        first_file_no: tally.firstFileNo,
        num_files: this.totals.files,
        num_bytes: this.totals.bytes,
        num_records: this.totals.records,
        files_without_records: this.totals.withoutRecords,
      }),
    })
    this.#tally = emptyTally()
  }

  /** Call after a part of the running version was written: the batch is empty and the first file's number is known. */
  partWritten(firstFileNo: number | null): void {
    const tally = this.#tally
    if (tally.firstFile !== null && firstFileNo !== null) tally.firstFileNo ??= firstFileNo + tally.firstFile
    tally.firstFile = null
  }

  #pushFile(
    add: AddAction,
    raw: string,
    line: number,
    version: number,
    removedVersion: number | null,
    dv: string | null,
    records: number | null,
    fromCheckpoint: boolean,
  ): void {
    refuseLong(raw, 'add', `version ${version}`, this.#log.label)
    const partitionValues = JSON.stringify(add.partitionValues ?? {})
    if (this.#tally.firstFileNo === null) this.#tally.firstFile ??= this.#batch.files.length
    this.files++
    this.#batch.files.push(
      importedFileRow({
        tableId: this.#tableId,
        add,
        raw,
        line,
        version,
        removedVersion,
        dvId: dv,
        keyHash: this.#key.a,
        records,
        partitionValues,
        fromCheckpoint,
      }),
    )
  }

  #keep(version: number, source: 0 | 1, line: number, raw: string, action: ActionLine['action']): void {
    const { kind } = action
    const name = kind === 'unknown' ? `unknown:${action.name}` : kind
    this.#batch.actions.push(actionRow(this.#tableId, version, source, line, name, raw))
    const at = { tableId: this.#tableId, version, source, line }
    refuseLong(raw, kind, `version ${version}`, this.#log.label)
    if (kind === 'metaData') {
      this.metadata = action.metaData
      this.#batch.metadata.push(metadataRow(at, action.metaData))
    } else if (kind === 'protocol') {
      this.protocol = action.protocol
      this.#batch.protocols.push(protocolRow(at, action.protocol))
    } else if (kind === 'txn') this.#batch.txns.push(txnRow(at, action.txn))
    else if (kind === 'domainMetadata') {
      this.#batch.domains.push(domainRow(at, action.domainMetadata))
    }
  }

  #opened(add: AddAction, records: number | null): void {
    this.totals.files++
    this.totals.bytes += add.size
    if (records === null) this.totals.withoutRecords++
    else this.totals.records += records
  }

  #takeFile(
    version: number,
    line: ActionLine,
    file: AddAction | RemoveAction,
    isAdd: boolean,
  ): Promise<void> | undefined {
    const dv = dvId(file.deletionVector)
    hashInto(this.#key, canonicalPath(file.path, this.#log.root), dv)
    const keyHash = this.#key.a
    const slot = this.#index.takeEvent(this.#key, version)
    const take = (life: OpenLifetime | null): void => {
      if (life !== null) this.#close(slot, version, life)
      if (isAdd) this.#openFile(version, line, file as AddAction, slot, keyHash, dv)
      else {
        this.#tally.removes++
        this.#batch.actions.push(actionRow(this.#tableId, version, SOURCE.commit, line.line, 'remove', line.raw))
      }
    }
    const life = this.#index.openLifetime(slot)
    if (this.#mayHaveEarlierFiles && this.#index.mustQuery(slot)) {
      this.#index.markQueried(slot)
      return this.#queryLifetime(file.path, keyHash, dv, life).then(take)
    }
    take(life)
    return undefined
  }

  #openFile(
    version: number,
    { line, raw }: ActionLine,
    add: AddAction,
    slot: number,
    keyHash: number,
    dv: string | null,
  ): void {
    const records = numRecordsOf(add.stats ?? null)
    const live = liveRecords(add, records)
    this.#opened(add, live)
    this.#tally.adds++
    this.#tally.addedBytes += add.size
    this.#index.setLifetime(slot, { size: add.size, records: live, fileNo: null })
    this.#key.a = keyHash
    this.#pushFile(add, raw, line, version, this.#index.nextVersion(slot), dv, records, false)
  }

  /** Ends the open lifetimes of a key at `version`. */
  #close(slot: number, version: number, open: OpenLifetime): void {
    for (let life: OpenLifetime | null | undefined = open; life != null; life = life.other) {
      this.totals.files--
      this.totals.bytes -= life.size
      this.#tally.removedBytes += life.size
      if (life.records === null) this.totals.withoutRecords--
      else this.totals.records -= life.records
      if (life.fileNo !== null) this.#batch.closes.push({ fileNo: life.fileNo, version })
    }
    this.#index.setLifetime(slot, null)
  }

  /** @param other open lifetime of the key that is not in the catalog yet */
  async #queryLifetime(
    path: string,
    keyHash: number,
    dv: string | null,
    other: OpenLifetime | null,
  ): Promise<OpenLifetime | null> {
    const rows = this.#openRows.get(keyHash) ?? (await this.#rowsOf([keyHash]))
    const canonical = canonicalPath(path, this.#log.root)
    let life = other
    for (const { fileNo, path: stored, dvId: storedDv, size, records, vector } of rows) {
      if (storedDv !== dv || canonicalPath(stored, this.#log.root) !== canonical) continue
      const deletionVector = vector === null ? null : (JSON.parse(vector) as DeletionVectorDescriptor)
      life = { size, records: liveRecords({ deletionVector }, records), fileNo, other: life }
    }
    return life
  }

  async #rowsOf(hashes: readonly number[]): Promise<readonly OpenRow[]> {
    const rows = await this.#database.all(
      `SELECT key_hash, file_no, path, dv_id, size, num_records, deletion_vector FROM delta_files
       WHERE table_id = ? AND removed_version IS NULL AND key_hash IN (${hashes.map(() => '?').join(',')})`,
      [this.#tableId, ...hashes],
    )
    return rows.map(([hash, fileNo, path, dv, size, records, vector]) => ({
      keyHash: Number(hash),
      fileNo: Number(fileNo),
      path: String(path),
      dvId: textOrNull(dv),
      size: Number(size),
      records: numberOrNull(records),
      vector: textOrNull(vector),
    }))
  }
}

/** A file of the catalog with an open lifetime. */
type OpenRow = {
  readonly keyHash: number
  readonly fileNo: number
  readonly path: string
  readonly dvId: string | null
  readonly size: number
  readonly records: number | null
  /** Deletion vector as JSON; null if the file has none. */
  readonly vector: string | null
}

/** Rows that no deletion vector hides; null if unknown. */
function liveRecords(file: Pick<AddAction, 'deletionVector'>, records: number | null): number | null {
  return records === null ? null : records - (file.deletionVector?.cardinality ?? 0)
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
