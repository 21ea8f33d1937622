/** Checkpoints of all four kinds, from lines of actions: written as JSON lines, and converted to Parquet by DuckDB. */
import fs from 'node:fs'
import path from 'node:path'
import { quoted } from './duck.mjs'
import { LineFile, pad, writeTextFile } from './log-files.mjs'
import { mix, uuid } from './random.mjs'

/** @typedef {'classic' | 'multipart' | 'v2-json' | 'v2-parquet'} CheckpointKind */
/**
 * Content of a checkpoint. `files` is called once, and calls `emit` with one JSON line per file action.
 * @typedef {{
 *   version: number, kind: CheckpointKind, parts: number, seed: number, mtime: number,
 *   protocol: object, metaData: object, others?: object[], adds: number, removes: number,
 *   files: (emit: (line: string) => void) => void,
 * }} CheckpointContent
 */

const DELETION_VECTOR =
  'STRUCT(storageType VARCHAR, pathOrInlineDv VARCHAR, "offset" INTEGER, sizeInBytes INTEGER, cardinality BIGINT, maxRowIndex BIGINT)'

/** Columns in the order and with the types of Spark. */
const COLUMNS = {
  txn: 'STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)',
  add: `STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, tags MAP(VARCHAR, VARCHAR), deletionVector ${DELETION_VECTOR}, baseRowId BIGINT, defaultRowCommitVersion BIGINT, stats VARCHAR)`,
  remove: `STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, deletionVector ${DELETION_VECTOR}, baseRowId BIGINT, defaultRowCommitVersion BIGINT)`,
  metaData:
    'STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[], configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)',
  protocol:
    'STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])',
  domainMetadata: 'STRUCT("domain" VARCHAR, configuration VARCHAR, removed BOOLEAN)',
  checkpointMetadata: 'STRUCT(version BIGINT, tags MAP(VARCHAR, VARCHAR))',
  sidecar: 'STRUCT(path VARCHAR, sizeInBytes BIGINT, modificationTime BIGINT, tags MAP(VARCHAR, VARCHAR))',
}
const V1_COLUMNS = ['txn', 'add', 'remove', 'metaData', 'protocol', 'domainMetadata']
const V2_TOP_COLUMNS = [...V1_COLUMNS, 'checkpointMetadata', 'sidecar']
const SIDECAR_COLUMNS = ['add', 'remove']

/**
 * @param {import('./duck.mjs').Connection} connection
 * @param {string} spool @param {string} file @param {string[]} columns @param {number} mtime
 */
async function toParquet(connection, spool, file, columns, mtime) {
  const types = columns.map((name) => `${name}: ${quoted(COLUMNS[name])}`).join(', ')
  await connection.run(
    `COPY (SELECT ${columns.join(', ')} FROM read_json(${quoted(spool)}, format = 'newline_delimited',
       maximum_object_size = 67108864, columns = {${types}}))
     TO ${quoted(file)} (FORMAT parquet, COMPRESSION snappy)`,
  )
  fs.rmSync(spool)
  fs.utimesSync(file, mtime / 1000, mtime / 1000)
  return fs.statSync(file).size
}

/** Distributes the file actions over `parts` Parquet files, which `nameOf` names; returns their names and sizes. */
async function writeParts(connection, folder, content, columns, leading, nameOf) {
  const { parts, mtime } = content
  const names = Array.from({ length: parts }, (_, i) => nameOf(i + 1))
  const spools = names.map((name) => path.join(folder, `.${name}.spool`))
  const writers = spools.map((spool) => new LineFile(spool))
  for (const line of leading) writers[0].write(line)
  let n = 0
  content.files((line) => writers[n++ % parts].write(line))
  for (const writer of writers) writer.close()
  const sizes = []
  for (const [i, name] of names.entries()) {
    sizes.push(await toParquet(connection, spools[i], path.join(folder, name), columns, mtime))
  }
  return names.map((name, i) => ({ name, size: sizes[i] }))
}

/** All actions except those on files. @param {CheckpointContent} content */
function otherLines({ protocol, metaData, others = [] }) {
  return [{ protocol }, { metaData }, ...others].map((action) => JSON.stringify(action))
}

/** @param {import('./duck.mjs').Connection} connection @param {string} log @param {CheckpointContent} content */
async function writeV1(connection, log, content) {
  const stem = `${pad(content.version, 20)}.checkpoint`
  const nameOf =
    content.kind === 'classic'
      ? () => `${stem}.parquet`
      : (part) => `${stem}.${pad(part, 10)}.${pad(content.parts, 10)}.parquet`
  return writeParts(connection, log, content, V1_COLUMNS, otherLines(content), nameOf)
}

/** @param {import('./duck.mjs').Connection} connection @param {string} log @param {CheckpointContent} content */
async function writeV2(connection, log, content) {
  const { version, seed, mtime } = content
  const stem = `${pad(version, 20)}.checkpoint`
  const folder = path.join(log, '_sidecars')
  fs.mkdirSync(folder, { recursive: true })
  const sidecars = await writeParts(connection, folder, content, SIDECAR_COLUMNS, [], (part) => {
    return `${stem}.${pad(part, 10)}.${pad(content.parts, 10)}.${uuid(seed, version, 700 + part)}.parquet`
  })
  const lines = [
    JSON.stringify({ checkpointMetadata: { version } }),
    ...sidecars.map(({ name, size }) =>
      JSON.stringify({ sidecar: { path: name, sizeInBytes: size, modificationTime: mtime } }),
    ),
    ...otherLines(content),
  ]
  const extension = content.kind === 'v2-json' ? 'json' : 'parquet'
  const name = `${stem}.${uuid(seed, version, 699)}.${extension}`
  const text = lines.map((line) => `${line}\n`).join('')
  let size = Buffer.byteLength(text)
  if (extension === 'json') {
    writeTextFile(path.join(log, name), text, mtime)
  } else {
    const spool = path.join(log, `.${name}.spool`)
    fs.writeFileSync(spool, text)
    size = await toParquet(connection, spool, path.join(log, name), V2_TOP_COLUMNS, mtime)
  }
  return { top: { name, size }, sidecars, nonFileActions: lines.length - sidecars.length }
}

/**
 * Writes a checkpoint and the hint that points to it.
 * @param {import('./duck.mjs').Connection} connection @param {string} log @param {CheckpointContent} content
 */
export async function writeCheckpoint(connection, log, content) {
  const { version, adds, removes, mtime } = content
  const rows = adds + removes + 2 + (content.others?.length ?? 0)
  /** @type {Record<string, unknown>} */
  const hint = { version, size: rows }
  if (content.kind === 'v2-json' || content.kind === 'v2-parquet') {
    const { top, sidecars } = await writeV2(connection, log, content)
    const bytes = top.size + sidecars.reduce((sum, { size }) => sum + size, 0)
    Object.assign(hint, { size: rows + 1 + sidecars.length, sizeInBytes: bytes, numOfAddFiles: adds })
    hint.v2Checkpoint = {
      path: top.name,
      sizeInBytes: top.size,
      modificationTime: mtime,
      sidecarFiles: sidecars.map(({ name, size }) => ({ path: name, sizeInBytes: size, modificationTime: mtime })),
    }
  } else {
    const files = await writeV1(connection, log, content)
    if (files.length > 1) hint.parts = files.length
    Object.assign(hint, { sizeInBytes: files.reduce((sum, { size }) => sum + size, 0), numOfAddFiles: adds })
  }
  writeTextFile(path.join(log, '_last_checkpoint'), `${JSON.stringify(hint)}\n`, mtime)
}

/**
 * Number of parts for this many actions.
 * @param {CheckpointKind} kind @param {number} actions @param {number} seed
 */
export function partsOf(kind, actions, seed) {
  if (kind === 'classic') return 1
  return actions < 20 ? 2 : 2 + (mix(seed, actions, 5) % 3)
}
