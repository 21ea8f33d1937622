/** The table of a generated lake: orders, partitioned by day or not. Every file is a function of its number. */
import { between, mix, uuid } from './random.mjs'

const DAY = 86_400_000
export const FIRST_DAY = Date.UTC(2024, 0, 1)

const STATES = ['created', 'delivered', 'packed', 'paid', 'returned', 'shipped']
const COUNTRIES = ['AT', 'BE', 'CH', 'DE', 'DK', 'ES', 'FR', 'GB', 'IT', 'NL', 'PL', 'SE']

/** @param {string} name @param {string} type @param {boolean} [nullable] */
const field = (name, type, nullable = true) => ({ name, type, nullable, metadata: {} })

const FIELDS = [
  field('order_id', 'long', false),
  field('customer_id', 'long'),
  field('ordered_at', 'timestamp'),
  field('amount', 'decimal(10,2)'),
  field('quantity', 'integer'),
  field('status', 'string'),
  field('country', 'string'),
  field('note', 'string'),
]
const DAY_FIELD = field('order_day', 'date')

/** `2024-01-31` for day 30. @param {number} day */
export const dayText = (day) => new Date(FIRST_DAY + day * DAY).toISOString().slice(0, 10)

/**
 * @param {{seed: number, partitions: number, configuration?: Record<string, string>}} options
 * @returns {Record<string, unknown>}
 */
export function ordersMetaData({ seed, partitions, configuration = {} }) {
  return {
    id: uuid(seed, 0, 1),
    format: { provider: 'parquet', options: {} },
    schemaString: JSON.stringify({ type: 'struct', fields: partitions > 1 ? [...FIELDS, DAY_FIELD] : FIELDS }),
    partitionColumns: partitions > 1 ? ['order_day'] : [],
    configuration,
    createdTime: FIRST_DAY,
  }
}

/** Cache of day texts: formatting a date for each of a million files is slower than all the rest. @type {string[]} */
const days = []

/** @param {number} seed @param {number} n @param {number} partitions */
export function dayOf(seed, n, partitions) {
  const day = mix(seed, n, 11) % partitions
  return (days[day] ??= dayText(day))
}

/** Letters that fill statistics up to the requested length. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'.repeat(40)

/** @param {number} cents */
const money = (cents) => `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`

/**
 * Statistics as Spark writes them, of about `bytes` characters.
 * @param {number} seed @param {number} n @param {number} records @param {string} day @param {number} bytes
 */
function statsText(seed, n, records, day, bytes) {
  const low = n * 100_000
  const a = mix(seed, n, 21)
  const b = mix(seed, n, 22)
  const from = `${day}T0${a % 9}:${10 + (a % 49)}:${10 + (b % 49)}.${100 + (b % 899)}Z`
  const to = `${day}T1${b % 9}:${10 + (b % 49)}:${10 + (a % 49)}.${100 + (a % 899)}Z`
  const max = `"order_id":${low + records - 1},"customer_id":${900_000 + (b % 100_000)},"ordered_at":"${to}","amount":${money(90_000 + (a % 909_999))},"quantity":${50 + (a % 50)}`
  const min = `"order_id":${low},"customer_id":${a % 5000},"ordered_at":"${from}","amount":${money(a % 5000)},"quantity":1`
  const texts = `"status":"${STATES[a % 2]}","country":"${COUNTRIES[b % 3]}"`
  const textsMax = `"status":"${STATES[4 + (b % 2)]}","country":"${COUNTRIES[9 + (a % 3)]}"`
  const nulls = `"order_id":0,"customer_id":0,"ordered_at":0,"amount":0,"quantity":0,"status":0,"country":0,"note":${b % 1000}`
  const bare = 64 + min.length + max.length + texts.length + textsMax.length + nulls.length + 20
  if (bytes < bare) {
    const narrow = `{"numRecords":${records},"minValues":{"order_id":${low}},"maxValues":{"order_id":${low + records - 1}},"nullCount":{"order_id":0}}`
    return narrow.length <= bytes ? narrow : `{"numRecords":${records}}`
  }
  const note = Math.min(512, (bytes - bare) >> 1)
  const at = a % 26
  return `{"numRecords":${records},"minValues":{${min},${texts},"note":"${LETTERS.slice(at, at + note)}"},"maxValues":{${max},${textsMax},"note":"${LETTERS.slice(at + 1, at + 1 + note)}"},"nullCount":{${nulls}}}`
}

/**
 * `partitionValues` and `stats` are JSON texts; `stats` is '' if a file has none.
 * @typedef {{
 *   path: string, partitionValues: string, size: number, records: number, stats: string, modificationTime: number,
 * }} OrdersFile
 */

/**
 * File n of the table.
 * @param {{seed: number, partitions: number, statsBytes: number}} options @param {number} n
 * @param {number} modificationTime
 * @returns {OrdersFile}
 */
export function ordersFile({ seed, partitions, statsBytes }, n, modificationTime) {
  const records = between(mix(seed, n, 12), 10_000, 99_999)
  const day = partitions > 1 ? dayOf(seed, n, partitions) : '2024-01-01'
  const name = `part-${String(n % 200).padStart(5, '0')}-${uuid(seed, n, 13)}.c000.snappy.parquet`
  return {
    path: partitions > 1 ? `order_day=${day}/${name}` : name,
    partitionValues: partitions > 1 ? `{"order_day":"${day}"}` : '{}',
    size: records * between(mix(seed, n, 14), 24, 40) + 1811,
    records,
    stats: statsBytes === 0 ? '' : statsText(seed, n, records, day, statsBytes),
    modificationTime,
  }
}

/** @param {OrdersFile} file @param {boolean} dataChange */
export function addLine(file, dataChange) {
  const stats = file.stats === '' ? '' : `,"stats":${JSON.stringify(file.stats)}`
  return `{"add":{"path":"${file.path}","partitionValues":${file.partitionValues},"size":${file.size},"modificationTime":${file.modificationTime},"dataChange":${dataChange}${stats}}}`
}

/** @param {OrdersFile} file @param {number} deletionTimestamp @param {boolean} dataChange */
export function removeLine(file, deletionTimestamp, dataChange) {
  return `{"remove":{"path":"${file.path}","deletionTimestamp":${deletionTimestamp},"dataChange":${dataChange},"extendedFileMetadata":true,"partitionValues":${file.partitionValues},"size":${file.size}}}`
}

/**
 * Rows of file n for DuckDB: all columns except the partition column.
 * @param {number} seed @param {number} n @param {number} rows @param {string} day
 */
export function ordersRows(seed, n, rows, day) {
  const a = mix(seed, n, 31) % 10_007
  const pick = (/** @type {string[]} */ list) => `[${list.map((word) => `'${word}'`).join(', ')}]`
  return `SELECT
      ${n} * 100000 + i AS order_id,
      (i * 7919 + ${a}) % 5000 AS customer_id,
      (TIMESTAMP '${day} 00:00:00' + to_milliseconds(i * 61000 + ${a}))::TIMESTAMPTZ AS ordered_at,
      (((i * 104729 + ${a}) % 99999) / 100)::DECIMAL(10, 2) AS amount,
      (1 + (i * 31 + ${a}) % 20)::INTEGER AS quantity,
      ${pick(STATES)}[1 + (i + ${a}) % ${STATES.length}] AS status,
      ${pick(COUNTRIES)}[1 + (i * 5 + ${a}) % ${COUNTRIES.length}] AS country,
      CASE WHEN i % 3 = 0 THEN NULL ELSE 'order ' || i END AS note
    FROM range(${rows}) t(i)`
}
