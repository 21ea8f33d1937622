/**
 * The demo lake: six small tables, each with a feature of Delta logs that users meet. fixtures/README.md lists them.
 */
import fs from 'node:fs'
import path from 'node:path'
import { writeDataFile } from './data.mjs'
import { inlineVector, vectorFile } from './deletion-vector.mjs'
import { ordersMetaData, ordersRows } from './orders.mjs'
import { between, mix, uuid } from './random.mjs'
import { MadeTable } from './table.mjs'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** @typedef {import('./duck.mjs').Connection} Connection */

const LEGACY_PROTOCOL = { minReaderVersion: 1, minWriterVersion: 2 }

/** @param {string} name @param {string} type @param {object} [metadata] */
const field = (name, type, metadata = {}) => ({ name, type, nullable: true, metadata })

/**
 * @param {number} seed @param {object[]} fields @param {string[]} partitionColumns
 * @param {Record<string, string>} configuration @param {number} createdTime
 */
function metaData(seed, fields, partitionColumns, configuration, createdTime) {
  const format = { provider: 'parquet', options: {} }
  const schemaString = JSON.stringify({ type: 'struct', fields })
  return { id: uuid(seed, 0, 1), format, schemaString, partitionColumns, configuration, createdTime }
}

/** @param {number} files @param {number} rows @param {number} bytes */
const writeMetrics = (files, rows, bytes) => ({
  numFiles: String(files),
  numOutputRows: String(rows),
  numOutputBytes: String(bytes),
})

/**
 * Partitioned by year and month, with 40 commits and two checkpoints; compaction, delete, update, a stream's txn.
 * @param {string} lake @param {Connection} connection
 */
async function orders(lake, connection) {
  const seed = 101
  const table = new MadeTable(path.join(lake, 'sales/orders'), { seed })
  const start = Date.UTC(2024, 0, 15, 6)
  const base = ordersMetaData({ seed, partitions: 1 })
  const fields = [...JSON.parse(String(base.schemaString)).fields, field('year', 'integer'), field('month', 'integer')]
  const made = metaData(seed, fields, ['year', 'month'], {}, start)
  const partitionBy = { mode: 'Append', partitionBy: '["year","month"]' }

  /** @param {number} n @param {number} time @param {number} rows */
  const write = async (n, time, rows) => {
    const day = new Date(time)
    const values = { year: String(day.getUTCFullYear()), month: String(day.getUTCMonth() + 1) }
    const name = table.fileName(n, `year=${values.year}/month=${values.month}/`)
    const query = ordersRows(seed, n, rows, day.toISOString().slice(0, 10))
    const facts = await writeDataFile(connection, query, path.join(table.folder, name), { mtime: time - 900 })
    return { ...table.add(name, values, facts, time - 900), ...facts }
  }
  /** @param {{add: object}} written */
  const only = ({ add }) => ({ add })

  table.commit(start, 'CREATE TABLE', { partitionBy: '["year","month"]', properties: '{}' }, [
    { metaData: made },
    { protocol: LEGACY_PROTOCOL },
  ])
  for (let version = 1; version < 40; version++) {
    const time = start + version * 9 * DAY + (mix(seed, version, 2) % (6 * HOUR))
    const active = [...table.active.values()]
    if (version === 12) {
      // Compaction: the three files of one month become one; no row changes.
      const small = active.filter((add) => add.partitionValues.month === '2')
      const first = Date.parse('2024-02-05')
      const big = await write(900, first, 3 * 18)
      big.add.modificationTime = time - 900
      const metrics = { numRemovedFiles: String(small.length), numAddedFiles: '1' }
      const removes = small.map((add) => table.remove(add, time, false))
      table.commit(
        time,
        'OPTIMIZE',
        { predicate: '[]', zOrderBy: '[]', auto: 'false' },
        [...removes, { add: { ...big.add, dataChange: false } }],
        { metrics },
      )
    } else if (version === 24) {
      const month = active.filter((add) => add.partitionValues.month === '1' && add.partitionValues.year === '2024')
      const metrics = { numRemovedFiles: String(month.length), numAddedFiles: '0' }
      const removes = month.map((add) => table.remove(add, time))
      table.commit(time, 'DELETE', { predicate: '["((year = 2024) AND (month = 1))"]' }, removes, { metrics })
    } else if (version === 33) {
      const old = active.at(-3)
      const { year, month } = old.partitionValues
      const written = await write(933, Date.UTC(Number(year), Number(month) - 1, 20), 18)
      written.add.modificationTime = time - 900
      const metrics = { numRemovedFiles: '1', numAddedFiles: '1', numUpdatedRows: '4' }
      table.commit(time, 'UPDATE', { predicate: '["(status = paid)"]' }, [table.remove(old, time), only(written)], {
        metrics,
      })
    } else if (version === 36) {
      const changed = { ...made, configuration: { 'delta.logRetentionDuration': 'interval 90 days' } }
      table.commit(time, 'SET TBLPROPERTIES', { properties: JSON.stringify(changed.configuration) }, [
        { metaData: changed },
      ])
    } else {
      const written = await write(version, time, between(mix(seed, version, 3), 12, 24))
      const stream =
        version % 8 === 1 ? [{ txn: { appId: 'orders-stream', version: version >> 3, lastUpdated: time } }] : []
      const operation = stream.length > 0 ? 'STREAMING UPDATE' : 'WRITE'
      const parameters =
        stream.length > 0
          ? { outputMode: 'Append', queryId: 'orders-stream', epochId: String(version >> 3) }
          : partitionBy
      table.commit(time, operation, parameters, [...stream, only(written)], {
        metrics: writeMetrics(1, written.records, written.size),
      })
    }
    if (version === 20 || version === 30) {
      table.crc()
      await table.checkpoint(connection)
    }
  }
  table.crc()
}

/**
 * Column mapping by name, a renamed column, deletion vectors in a file and inline.
 * @param {string} lake @param {Connection} connection
 */
async function customers(lake, connection) {
  const seed = 202
  const table = new MadeTable(path.join(lake, 'crm/customers'), { seed })
  const start = Date.UTC(2024, 4, 2, 8)
  const names = ['customer_id', 'name', 'email', 'joined', 'country']
  const types = ['long', 'string', 'string', 'date', 'string']
  /** @type {Record<string, {name: string, id: number}>} */
  const physical = Object.fromEntries(names.map((name, i) => [name, { name: `col-${uuid(seed, i, 3)}`, id: i + 1 }]))
  const fieldsAs = (/** @type {Record<string, string>} */ logical) =>
    names.map((name, i) =>
      field(logical[name] ?? name, types[i], {
        'delta.columnMapping.id': i + 1,
        'delta.columnMapping.physicalName': physical[name].name,
      }),
    )
  const configuration = {
    'delta.columnMapping.mode': 'name',
    'delta.columnMapping.maxColumnId': String(names.length),
    'delta.enableDeletionVectors': 'true',
  }
  const made = metaData(seed, fieldsAs({}), ['country'], configuration, start)
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['columnMapping', 'deletionVectors'],
    writerFeatures: ['columnMapping', 'deletionVectors', 'appendOnly', 'invariants'],
  }
  /** @param {number} n @param {string} country @param {number} time */
  const write = async (n, country, time) => {
    const rows = `SELECT ${n} * 1000 + i AS customer_id, 'Customer ' || (${n} * 1000 + i) AS name,
      CASE WHEN i % 7 = 3 THEN NULL ELSE 'customer' || (${n} * 1000 + i) || '@example.org' END AS email,
      DATE '2021-03-01' + (i * 13 + ${n})::INTEGER AS joined FROM range(40) t(i)`
    const column = physical['country'].name
    const name = table.fileName(n, `${column}=${country}/`)
    const facts = await writeDataFile(connection, rows, path.join(table.folder, name), { mtime: time - 700, physical })
    return table.add(name, { [column]: country }, facts, time - 700)
  }

  table.commit(start, 'CREATE TABLE', { partitionBy: '["country"]', properties: JSON.stringify(configuration) }, [
    { metaData: made },
    { protocol },
  ])
  const day1 = start + DAY
  const first = [await write(1, 'DE', day1), await write(2, 'FR', day1), await write(3, 'IT', day1)]
  table.commit(day1, 'WRITE', { mode: 'Append', partitionBy: '["country"]' }, first, {
    metrics: { numFiles: '3', numOutputRows: '120' },
  })

  /** Marks rows of a file as deleted. @param {string} country @param {number} time @param {object} deletionVector */
  const mark = (country, time, deletionVector) => {
    const old = [...table.active.values()].find((add) => add.partitionValues[physical['country'].name] === country)
    const stats = JSON.stringify({ ...JSON.parse(old.stats), tightBounds: false })
    const add = { ...old, modificationTime: time - 700, stats, deletionVector }
    const metrics = { numDeletedRows: '3', numDeletionVectorsAdded: '1' }
    table.commit(time, 'DELETE', { predicate: `["(country = ${country})"]` }, [table.remove(old, time), { add }], {
      metrics,
    })
  }
  const vector = vectorFile([0, 9, 17], uuid(seed, 1, 7))
  fs.writeFileSync(path.join(table.folder, vector.name), vector.bytes)
  mark('DE', start + 3 * DAY, vector.descriptor)
  const renamed = {
    ...made,
    schemaString: JSON.stringify({ type: 'struct', fields: fieldsAs({ email: 'mail_address' }) }),
  }
  table.commit(start + 4 * DAY, 'RENAME COLUMN', { oldColumnPath: 'email', newColumnPath: 'mail_address' }, [
    { metaData: renamed },
  ])
  mark('FR', start + 5 * DAY, inlineVector([1, 2, 39]))
  const day6 = start + 6 * DAY
  table.commit(day6, 'WRITE', { mode: 'Append', partitionBy: '["country"]' }, [await write(4, 'ES', day6)], {
    metrics: { numFiles: '1', numOutputRows: '40' },
  })
  mark('DE', start + 7 * DAY, inlineVector([0, 9, 17, 18, 30, 31]))
  table.crc()
}

/**
 * Not partitioned, with in-commit timestamps; a log without data files.
 * @param {string} lake @param {Connection} connection
 */
async function clicks(lake, connection) {
  const seed = 303
  const table = new MadeTable(path.join(lake, 'events/clicks'), { seed, inCommitTimestamps: true })
  const start = Date.UTC(2025, 1, 3, 12)
  const fields = [
    field('event_id', 'long'),
    field('at', 'timestamp'),
    field('user_id', 'long'),
    field('page', 'string'),
  ]
  const made = metaData(seed, fields, [], { 'delta.enableInCommitTimestamps': 'true' }, start)
  const protocol = {
    minReaderVersion: 1,
    minWriterVersion: 7,
    writerFeatures: ['inCommitTimestamp', 'appendOnly', 'invariants'],
  }
  table.commit(start, 'CREATE TABLE', { partitionBy: '[]', properties: JSON.stringify(made.configuration) }, [
    { metaData: made },
    { protocol },
  ])
  for (let version = 1; version < 40; version++) {
    const time = start + version * 5 * 60_000 + (mix(seed, version, 1) % 60_000)
    const records = between(mix(seed, version, 2), 2000, 90_000)
    const at = new Date(time).toISOString()
    const stats = JSON.stringify({
      numRecords: records,
      minValues: { event_id: version * 100_000, at: new Date(time - 300_000).toISOString(), user_id: 17, page: '/' },
      maxValues: { event_id: version * 100_000 + records - 1, at, user_id: 99_871, page: '/shop/\u{10ffff}' },
      nullCount: { event_id: 0, at: 0, user_id: mix(seed, version, 3) % 500, page: 0 },
    })
    const add = table.add(table.fileName(version), {}, { size: records * 31 + 2048, stats }, time - 400)
    const txn = { txn: { appId: uuid(seed, 0, 9), version: version - 1, lastUpdated: time } }
    table.commit(
      time,
      'STREAMING UPDATE',
      { outputMode: 'Append', queryId: uuid(seed, 0, 9), epochId: String(version - 1) },
      [txn, add],
      {
        metrics: {
          numAddedFiles: '1',
          numRemovedFiles: '0',
          numOutputRows: String(records),
          numOutputBytes: String(records * 31 + 2048),
        },
      },
    )
    if (version === 30) await table.checkpoint(connection)
  }
  table.crc()
}

/**
 * The log begins with a V2 checkpoint with sidecars at version 60.
 * @param {string} lake @param {Connection} connection
 */
async function rates(lake, connection) {
  const seed = 404
  const table = new MadeTable(path.join(lake, 'finance/rates'), { seed })
  const start = Date.UTC(2023, 8, 1, 17)
  const fields = [
    field('rate_date', 'date'),
    field('base', 'string'),
    field('rate', 'decimal(18,8)'),
    field('currency', 'string'),
  ]
  const made = metaData(seed, fields, ['currency'], { 'delta.checkpointPolicy': 'v2' }, start)
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['v2Checkpoint'],
    writerFeatures: ['v2Checkpoint', 'appendOnly', 'invariants'],
  }
  const currencies = ['CHF', 'DKK', 'GBP', 'JPY', 'NOK', 'PLN']
  table.commit(start, 'CREATE TABLE', { partitionBy: '["currency"]', properties: JSON.stringify(made.configuration) }, [
    { metaData: made },
    { protocol },
  ])
  for (let version = 1; version <= 66; version++) {
    const time = start + version * DAY
    const currency = currencies[version % currencies.length]
    const kept = version > 48 // older files are replaced before the checkpoint, so they have no data
    const rows = `SELECT DATE '2023-09-01' + (${version})::INTEGER AS rate_date, 'EUR' AS base,
      (1 + ((${version} * 7919 + i * 31) % 1000) / 8000)::DECIMAL(18, 8) AS rate FROM range(6) t(i)`
    const name = table.fileName(version, `currency=${currency}/`)
    const facts = kept
      ? await writeDataFile(connection, rows, path.join(table.folder, name), { mtime: time - 500 })
      : { size: 700 + version, stats: '{"numRecords":6}', records: 6 }
    const old = [...table.active.values()].find((add) => add.partitionValues.currency === currency)
    const removes = old === undefined || version > 60 || version % 12 < 6 ? [] : [table.remove(old, time)]
    table.commit(
      time,
      'WRITE',
      { mode: 'Overwrite', partitionBy: '["currency"]' },
      [...removes, table.add(name, { currency }, facts, time - 500)],
      {
        metrics: writeMetrics(1, facts.records, facts.size),
      },
    )
    if (version === 48) {
      // Version 48 replaces all earlier files.
      for (const add of table.active.values()) table.tombstones.push(table.remove(add, time).remove)
      table.active.clear()
    }
    if (version === 60) {
      table.tombstones = [] // their retention time is over
      await table.checkpoint(connection, 'v2-json')
      table.dropCommits(0, 59)
    }
  }
  table.crc()
}

/** Commits 11 to 13 are missing. @param {string} lake @param {Connection} connection */
async function broken(lake, connection) {
  const seed = 505
  const table = new MadeTable(path.join(lake, 'legacy/broken'), { seed, engine: 'Apache-Spark/2.4.8 Delta-Lake/0.6.1' })
  const start = Date.UTC(2020, 6, 1, 3)
  const made = metaData(seed, [field('id', 'long'), field('value', 'string')], [], {}, start)
  table.commit(start, 'CREATE TABLE', { partitionBy: '[]' }, [{ metaData: made }, { protocol: LEGACY_PROTOCOL }])
  for (let version = 1; version <= 15; version++) {
    const time = start + version * 7 * DAY
    const facts = { size: 4096 + version * 17, stats: JSON.stringify({ numRecords: version * 10 }) }
    const add = table.add(table.fileName(version), {}, facts, time - 300)
    table.commit(time, 'WRITE', { mode: 'Append', partitionBy: '[]' }, [add], {
      metrics: writeMetrics(1, version * 10, facts.size),
    })
    if (version === 10) await table.checkpoint(connection)
  }
  table.dropCommits(11, 13)
}

/**
 * The commits are in a catalog of another system, so the folder does not have the current state. @param {string} lake
 */
function managed(lake) {
  const seed = 606
  const table = new MadeTable(path.join(lake, 'staging/managed'), {
    seed,
    inCommitTimestamps: true,
    engine: 'Apache-Spark/4.0.1 Delta-Lake/4.0.0',
  })
  const start = Date.UTC(2026, 2, 9, 10)
  const configuration = { 'delta.enableInCommitTimestamps': 'true', 'io.unitycatalog.tableId': uuid(seed, 0, 2) }
  const made = metaData(seed, [field('id', 'long'), field('payload', 'string')], [], configuration, start)
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['catalogManaged', 'vacuumProtocolCheck'],
    writerFeatures: ['catalogManaged', 'vacuumProtocolCheck', 'inCommitTimestamp', 'appendOnly', 'invariants'],
  }
  const write = (/** @type {number} */ n, /** @type {boolean} */ staged) => {
    const time = start + n * HOUR
    const add = table.add(table.fileName(n), {}, { size: 5000 + n, stats: `{"numRecords":${n * 100}}` }, time - 200)
    table.commit(time, 'WRITE', { mode: 'Append', partitionBy: '[]' }, [add], {
      staged,
      metrics: writeMetrics(1, n * 100, 5000 + n),
    })
  }
  table.commit(start, 'CREATE TABLE', { partitionBy: '[]', properties: JSON.stringify(configuration) }, [
    { metaData: made },
    { protocol },
  ])
  write(1, false)
  write(2, true)
}

/** Writes the demo lake into an empty folder. @param {string} lake @param {Connection} connection */
export async function writeDemoLake(lake, connection) {
  await orders(lake, connection)
  await customers(lake, connection)
  await clicks(lake, connection)
  await rates(lake, connection)
  await broken(lake, connection)
  managed(lake)
}
