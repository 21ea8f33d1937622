/** A small table made action by action. It keeps the active files, so that checksums and checkpoints are correct. */
import fs from 'node:fs'
import path from 'node:path'
import { writeCheckpoint } from './checkpoint.mjs'
import { commitName, writeCommit, writeCrc } from './log-files.mjs'
import { mix, uuid } from './random.mjs'

/** @param {any} action */
const keyOf = ({ path: name, deletionVector: dv }) =>
  dv ? `${name} ${dv.storageType}${dv.pathOrInlineDv}${dv.offset === undefined ? '' : `@${dv.offset}`}` : name

export class MadeTable {
  /** @type {Map<string, any>} */
  active = new Map()
  /** @type {any[]} */
  tombstones = []
  /** @type {Map<string, any>} */
  txns = new Map()
  /** @type {any} */
  protocol
  /** @type {any} */
  metaData
  version = -1
  time = 0

  /**
   * @param {string} folder
   * @param {{seed: number, engine?: string, inCommitTimestamps?: boolean}} options
   */
  constructor(folder, { seed, engine = 'Apache-Spark/3.5.3 Delta-Lake/3.2.1', inCommitTimestamps = false }) {
    this.folder = folder
    this.log = path.join(folder, '_delta_log')
    this.seed = seed
    this.engine = engine
    this.inCommitTimestamps = inCommitTimestamps
    fs.mkdirSync(this.log, { recursive: true })
  }

  /** The name of a data file. @param {number} n @param {string} [prefix] */
  fileName(n, prefix = '') {
    return `${prefix}part-${String(n).padStart(5, '0')}-${uuid(this.seed, n, 13)}.c000.snappy.parquet`
  }

  /**
   * @param {string} name @param {Record<string, string>} partitionValues @param {{size: number, stats: string}} facts
   * @param {number} time
   */
  add(name, partitionValues, { size, stats }, time) {
    return { add: { path: name, partitionValues, size, modificationTime: time, dataChange: true, stats } }
  }

  /** The remove of an active file. @param {any} add @param {number} time @param {boolean} [dataChange] */
  remove(add, time, dataChange = true) {
    const { path: name, partitionValues, size, deletionVector, stats } = add
    return {
      remove: {
        path: name,
        deletionTimestamp: time,
        dataChange,
        extendedFileMetadata: true,
        partitionValues,
        size,
        ...(deletionVector === undefined ? {} : { deletionVector }),
        stats,
      },
    }
  }

  /**
   * Writes the next commit.
   * @param {number} time @param {string} operation @param {Record<string, unknown>} parameters @param {any[]} actions
   * @param {{metrics?: Record<string, string>, staged?: boolean}} [options] `staged`: not published, as in a catalog
   */
  commit(time, operation, parameters, actions, { metrics = {}, staged = false } = {}) {
    const version = this.version + 1
    const info = {
      ...(this.inCommitTimestamps ? { inCommitTimestamp: time } : {}),
      timestamp: time,
      operation,
      operationParameters: parameters,
      ...(version === 0 ? {} : { readVersion: version - 1 }),
      isolationLevel: 'Serializable',
      isBlindAppend: actions.every((action) => action.remove === undefined && action.metaData === undefined),
      operationMetrics: metrics,
      engineInfo: this.engine,
      txnId: uuid(this.seed, version, 51),
    }
    if (staged) {
      const folder = path.join(this.log, '_staged_commits')
      fs.mkdirSync(folder, { recursive: true })
      writeCommit(folder, version, [{ commitInfo: info }, ...actions], time)
      const name = commitName(version)
      const stagedName = name.replace('.json', `.${uuid(this.seed, version, 52)}.json`)
      fs.renameSync(path.join(folder, name), path.join(folder, stagedName))
      return
    }
    writeCommit(this.log, version, [{ commitInfo: info }, ...actions], time)
    this.version = version
    this.time = time
    for (const { protocol, metaData, txn, add, remove } of actions) {
      if (protocol) this.protocol = protocol
      if (metaData) this.metaData = metaData
      if (txn) this.txns.set(txn.appId, txn)
      if (remove) {
        this.active.delete(keyOf(remove))
        this.tombstones.push(remove)
      }
      if (add) this.active.set(keyOf(add), add)
    }
  }

  crc() {
    const adds = [...this.active.values()]
    writeCrc(
      this.log,
      this.version,
      {
        protocol: this.protocol,
        metaData: this.metaData,
        files: adds.length,
        bytes: adds.reduce((sum, { size }) => sum + size, 0),
        txnId: uuid(this.seed, this.version, 51),
        transactions: [...this.txns.values()],
        ...(this.inCommitTimestamps ? { inCommitTimestamp: this.time } : {}),
      },
      this.time,
    )
  }

  /** @param {import('./duck.mjs').Connection} connection @param {import('./checkpoint.mjs').CheckpointKind} [kind] */
  async checkpoint(connection, kind = 'classic') {
    const adds = [...this.active.values()]
    // A checkpoint keeps the fields that identify a removed file, without its statistics.
    const removes = this.tombstones.map(({ stats: _, ...remove }) => remove)
    await writeCheckpoint(connection, this.log, {
      version: this.version,
      kind,
      parts: kind === 'classic' ? 1 : 2,
      seed: mix(this.seed, this.version, 61),
      mtime: this.time + 2000,
      protocol: this.protocol,
      metaData: this.metaData,
      others: [...this.txns.values()].map((txn) => ({ txn })),
      adds: adds.length,
      removes: removes.length,
      files: (emit) => {
        for (const add of adds) emit(JSON.stringify({ add: { ...add, dataChange: false } }))
        for (const remove of removes) emit(JSON.stringify({ remove: { ...remove, dataChange: false } }))
      },
    })
  }

  /** Deletes commits, like log cleaning or an accident. @param {number} from @param {number} to inclusive */
  dropCommits(from, to) {
    for (let version = from; version <= to; version++) fs.rmSync(path.join(this.log, commitName(version)))
  }
}
