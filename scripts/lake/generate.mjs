/** Writes generated tables commit by commit; memory does not grow with the number of files. */
import fs from 'node:fs'
import path from 'node:path'
import { partsOf, writeCheckpoint } from './checkpoint.mjs'
import { writeDataFile } from './data.mjs'
import { withDuck } from './duck.mjs'
import { commitName, LineFile, pad, writeCrc } from './log-files.mjs'
import { addLine, dayOf, FIRST_DAY, ordersFile, ordersMetaData, ordersRows, removeLine } from './orders.mjs'
import { mix, scatter, uuid } from './random.mjs'

/** @typedef {import('./options.mjs').LakeOptions} LakeOptions */

const MINUTE = 60_000
const COMMIT_INTERVAL = 10 * MINUTE
/** Tombstones stay in checkpoints for Delta's default retention. */
const RETENTION_COMMITS = (7 * 24 * 60 * MINUTE) / COMMIT_INTERVAL
/** Files are removed in shuffled blocks: neither oldest first, nor with a list of all files. */
const BLOCK = 64
/**
 * A checksum file for every commit would double the files of a long log. Spark writes all of them; tests need only
 * some.
 */
const CRC_EVERY_UP_TO = 1000

/** @param {number} version */
const commitTime = (version) => FIRST_DAY + version * COMMIT_INTERVAL

/** Which files each commit adds and removes. @param {LakeOptions} options */
function schedule({ files, commits, removesPerCommit, filesInFirstCommit, seed }) {
  const first = filesInFirstCommit ? 0 : 1
  const slots = Math.max(1, commits - first)
  const each = Math.floor(files / slots)
  const extra = commits > first ? files % slots : 0
  /** Number of files added up to and including a version. @param {number} version */
  const addedAfter = (version) => {
    const slot = version - first + 1
    return slot <= 0 || commits <= first ? 0 : slot * each + Math.min(slot, extra)
  }
  // Files are removed only after their whole block was added by earlier commits; missed removes follow later.
  const removedAfter = new Float64Array(commits)
  for (let version = 1; version < commits; version++) {
    const full = Math.floor(addedAfter(version - 1) / BLOCK) * BLOCK
    removedAfter[version] = Math.min(removesPerCommit * version, full)
  }
  /** The commit that added file n. @param {number} n */
  const versionOf = (n) => {
    const long = extra * (each + 1)
    return first + (n < long ? Math.floor(n / (each + 1)) : extra + Math.floor((n - long) / each))
  }
  /** The i-th file that is removed. @param {number} i */
  const removed = (i) => {
    const block = Math.floor(i / BLOCK)
    return block * BLOCK + scatter(i % BLOCK, BLOCK, mix(seed, block, 41))
  }
  return { addedAfter, removedAfter, versionOf, removed }
}

/** @param {LakeOptions} options */
function protocolOf({ checkpoint, checkpointEvery, checkpointOnlyLast }) {
  const v2 = checkpoint.startsWith('v2') && (checkpointEvery > 0 || checkpointOnlyLast)
  if (!v2) return { protocol: { minReaderVersion: 1, minWriterVersion: 2 }, configuration: {} }
  return {
    protocol: {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['v2Checkpoint'],
      writerFeatures: ['v2Checkpoint', 'appendOnly', 'invariants'],
    },
    configuration: { 'delta.checkpointPolicy': 'v2' },
  }
}

/** @param {LakeOptions} options @returns {number[]} ascending */
function checkpointVersions({ commits, checkpointEvery, checkpointOnlyLast }) {
  if (checkpointOnlyLast) return [commits - 1]
  const versions = []
  if (checkpointEvery > 0) for (let v = checkpointEvery; v < commits; v += checkpointEvery) versions.push(v)
  return versions
}

/**
 * @param {LakeOptions} options @param {number} version
 * @param {{adds: number, removes: number, rows: number, bytes: number}} counts
 */
function commitInfo({ seed, partitions }, version, { adds, removes, rows, bytes }) {
  const columns = partitions > 1 ? '["order_day"]' : '[]'
  const created = version === 0
  const operation = created ? (adds > 0 ? 'CREATE TABLE AS SELECT' : 'CREATE TABLE') : removes > 0 ? 'MERGE' : 'WRITE'
  const metrics =
    operation === 'MERGE'
      ? {
          numTargetFilesAdded: String(adds),
          numTargetFilesRemoved: String(removes),
          numOutputRows: String(rows),
          numTargetBytesAdded: String(bytes),
        }
      : adds === 0
        ? {}
        : { numFiles: String(adds), numOutputRows: String(rows), numOutputBytes: String(bytes) }
  return {
    commitInfo: {
      timestamp: commitTime(version),
      operation,
      operationParameters:
        operation === 'MERGE'
          ? { predicate: '["(s.order_id = t.order_id)"]' }
          : { mode: 'Append', partitionBy: columns },
      ...(created ? {} : { readVersion: version - 1 }),
      isolationLevel: 'Serializable',
      isBlindAppend: removes === 0,
      operationMetrics: metrics,
      engineInfo: 'Apache-Spark/3.5.3 Delta-Lake/3.2.1',
      txnId: uuid(seed, version, 51),
    },
  }
}

/**
 * Writes one table.
 * @param {string} folder @param {LakeOptions} options
 * @param {() => Promise<import('./duck.mjs').Connection>} duck
 */
async function generateTable(folder, options, duck) {
  const { commits, seed, partitions, checkpoint, cleanLog, data } = options
  const log = path.join(folder, '_delta_log')
  fs.mkdirSync(log, { recursive: true })
  const { addedAfter, removedAfter, versionOf, removed } = schedule(options)
  const { protocol, configuration } = protocolOf(options)
  const metaData = ordersMetaData({ seed, partitions, configuration })
  const checkpoints = new Set(checkpointVersions(options))
  const firstWritten = cleanLog ? Math.max(0, ...checkpoints) : 0

  /**
   * Facts of the real files; only with --data.
   * @type {Map<number, {size: number, records: number, stats: string}>}
   */
  const real = new Map()
  const file = (/** @type {number} */ n) => {
    const made = ordersFile(options, n, commitTime(versionOf(n)) - 1000 - (mix(seed, n, 42) % 5000))
    return { ...made, ...real.get(n) }
  }
  const writeData = async (/** @type {number} */ n) => {
    const { path: name, modificationTime } = file(n)
    const rows = ordersRows(
      seed,
      n,
      5 + (mix(seed, n, 43) % 20),
      partitions > 1 ? dayOf(seed, n, partitions) : '2024-01-01',
    )
    real.set(n, await writeDataFile(await duck(), rows, path.join(folder, name), { mtime: modificationTime }))
  }

  let bytes = 0
  for (let version = 0; version < commits; version++) {
    const from = version === 0 ? 0 : addedAfter(version - 1)
    const to = addedAfter(version)
    const removedFrom = version === 0 ? 0 : removedAfter[version - 1]
    const removedTo = removedAfter[version]
    const time = commitTime(version)
    const written = version >= firstWritten
    if (data) for (let n = from; n < to; n++) await writeData(n)

    let rows = 0
    let added = 0
    // Metrics are in the first line, before the files that they count.
    for (let n = from; n < to; n++) {
      const { records, size } = file(n)
      rows += records
      added += size
    }
    const out = written ? new LineFile(path.join(log, commitName(version))) : undefined
    const counts = { adds: to - from, removes: removedTo - removedFrom, rows, bytes: added }
    out?.write(JSON.stringify(commitInfo(options, version, counts)))
    if (version === 0) {
      out?.write(JSON.stringify({ metaData }))
      out?.write(JSON.stringify({ protocol }))
    }
    for (let i = removedFrom; i < removedTo; i++) {
      const gone = file(removed(i))
      bytes -= gone.size
      out?.write(removeLine(gone, time - 500, true))
    }
    if (out !== undefined) for (let n = from; n < to; n++) out.write(addLine(file(n), true))
    bytes += added
    out?.close(time)

    if (written && (commits <= CRC_EVERY_UP_TO || version % 100 === 0 || version === commits - 1)) {
      writeCrc(log, version, { protocol, metaData, files: to - removedTo, bytes, txnId: uuid(seed, version, 51) }, time)
    }
    if (checkpoints.has(version)) {
      const tombstones = Math.max(0, version - RETENTION_COMMITS)
      const removes = removedTo - removedAfter[tombstones]
      const adds = to - removedTo
      const files = (/** @type {(line: string) => void} */ emit) => {
        const partial = Math.floor(removedTo / BLOCK) * BLOCK
        const gone = new Set()
        for (let i = partial; i < removedTo; i++) gone.add(removed(i))
        for (let n = partial; n < to; n++) if (!gone.has(n)) emit(addLine(file(n), false))
        for (let v = tombstones + 1; v <= version; v++) {
          for (let i = removedAfter[v - 1]; i < removedAfter[v]; i++) {
            emit(removeLine(file(removed(i)), commitTime(v) - 500, false))
          }
        }
      }
      const parts = partsOf(checkpoint, adds + removes, seed)
      const content = {
        version,
        kind: checkpoint,
        parts,
        seed,
        mtime: time + 2000,
        protocol,
        metaData,
        adds,
        removes,
        files,
      }
      await writeCheckpoint(await duck(), log, content)
    }
  }
}

/** Writes the lake with these options. @param {LakeOptions} options */
export async function generateLake(options) {
  /** @type {() => void} */
  let finish = () => {}
  /** @type {Promise<import('./duck.mjs').Connection> | undefined} */
  let connection
  /** @type {Promise<void> | undefined} */
  let session
  // DuckDB starts with the first checkpoint or data file: most lakes need none.
  const duck = () =>
    (connection ??= new Promise((opened, failed) => {
      session = withDuck(async (made) => {
        opened(made)
        await new Promise((done) => (finish = () => done(undefined)))
      }).catch(failed)
    }))
  try {
    for (let t = 0; t < options.tables; t++) {
      const name = path.join(`group-${pad(Math.floor(t / 100), 2)}`, `table-${pad(t, 4)}`)
      const folder = options.tables === 1 ? options.out : path.join(options.out, name)
      await generateTable(folder, { ...options, seed: options.seed + t }, duck)
    }
  } finally {
    finish()
    await session
  }
}
