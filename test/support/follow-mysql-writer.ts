/**
 * Writes to a MySQL source without a pause: sessions insert, replace, update, delete, move keys, exchange unique values
 * and roll back, by a seed.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection, type Connection } from 'mysql2/promise'
import { expect } from 'vitest'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import { copyOf, perform, type Place, type Ran } from './copy-systems.ts'

/** Tables, with the columns that tests compare by plain queries. */
const NAMES = ['acct', 'moves', 'ev', 'cnt'] as const
const COMPARED: Readonly<Record<(typeof NAMES)[number], string>> = {
  acct: 'id, qty, name, seat, total, big',
  moves: 'a, b, v',
  ev: 'id, day, v',
  cnt: 'id, n',
}

function mysqlTables(rows: number): readonly string[] {
  return [
    `CREATE TABLE acct (id BIGINT PRIMARY KEY, qty INT NOT NULL, name VARCHAR(40), seat INT UNIQUE, total DECIMAL(12,2), big MEDIUMTEXT, at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6))`,
    `INSERT INTO acct (id, qty, name, seat, total, big) SELECT seq, seq % 100, CONCAT('name ', seq), seq, seq * 0.25, IF(seq % 7 = 0, REPEAT(MD5(seq), 50), NULL) FROM seq_1_to_${rows}`,
    'CREATE TABLE moves (a INT, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, v INT, PRIMARY KEY (a, b))',
    `INSERT INTO moves SELECT seq, CONCAT('k', seq % 5), seq FROM seq_1_to_${Math.ceil(rows / 4)}`,
    `CREATE TABLE ev (id BIGINT, day DATE, v INT, PRIMARY KEY (id, day)) PARTITION BY RANGE (TO_DAYS(day))
       (PARTITION p1 VALUES LESS THAN (TO_DAYS('2026-04-01')), PARTITION rest VALUES LESS THAN MAXVALUE)`,
    `INSERT INTO ev SELECT seq, DATE '2026-01-01' + INTERVAL seq % 200 DAY, seq FROM seq_1_to_${Math.ceil(rows / 4)}`,
    'CREATE TABLE cnt (id INT PRIMARY KEY, n BIGINT NOT NULL)',
    'INSERT INTO cnt VALUES (1, 0)',
  ]
}

/** A stream by triggers, with a filled source. */
export async function mysqlStage(source: Place, target: Place, rows: number): Promise<MysqlStage> {
  await source.sql(...mysqlTables(rows))
  const one = copyOf(source, target, NAMES[0], { chunkRows: Math.ceil(rows / 4), workers: 2, with: ['indexes'] })
  return { source, target, copy: { ...one, tables: [...NAMES], follow: { cdc: 'trigger' } } }
}

type MysqlStage = { readonly source: Place; readonly target: Place; readonly copy: CopyOperation }

export function runUntil({ copy }: MysqlStage, until: 'caught-up' | 'equal'): Promise<Ran> {
  return perform({ ...copy, follow: { ...copy.follow, until } })
}

/** Every row of both sides, read with plain drivers, is the same. */
export async function expectSame({ source, target }: MysqlStage): Promise<void> {
  for (const name of NAMES) {
    const query = `SELECT ${COMPARED[name]} FROM ${name}`
    const [left, right] = [await source.rows(query), await target.rows(query)]
    const texts = (rows: typeof left): readonly string[] => rows.map((row) => JSON.stringify(row.map(plain))).toSorted()
    expect(texts(right), name).toEqual(texts(left))
  }
}

/** Decimals of file databases have no trailing zeros. */
function plain(text: string | null): string | null {
  return text !== null && /^-?\d+\.\d+$/.test(text) ? String(Number(text)) : text
}

type MysqlWriter = { stop(): Promise<number> }

/** Expected errors of concurrent sessions: duplicate keys, deadlocks, lock waits. */
const EXPECTED = new Set([1062, 1213, 1205, 1020])

export function startMysqlWriter(url: string, seed: number, keys: number, pauseMs = 2): MysqlWriter {
  let [stopped, committed] = [false, 0]
  const all = Array.from({ length: 3 }, async (_, at) => {
    const connection = await createConnection(url)
    const random = randomOf(seed * 31 + at)
    try {
      while (!stopped) {
        if (await transaction(connection, random, keys)) committed++
        await sleep(pauseMs)
      }
    } finally {
      connection.destroy()
    }
  })
  const done = Promise.all(all)
  done.catch(() => undefined)
  return {
    stop: async () => {
      stopped = true
      await done
      return committed
    },
  }
}

type Random = (below: number) => number

async function transaction(connection: Connection, random: Random, keys: number): Promise<boolean> {
  const rollsBack = random(10) === 0
  try {
    await connection.query('START TRANSACTION')
    const many = random(25) === 0 ? 60 : 1 + random(6)
    for (let i = 0; i < many; i++) {
      const saves = random(8) === 0
      if (saves) await connection.query('SAVEPOINT s')
      for (const sql of statements(random, keys)) await connection.query(sql)
      if (saves && random(2) === 0) await connection.query('ROLLBACK TO SAVEPOINT s')
    }
    await connection.query(rollsBack ? 'ROLLBACK' : 'COMMIT')
    return !rollsBack
  } catch (error) {
    await connection.query('ROLLBACK')
    if (!EXPECTED.has((error as { readonly errno?: number }).errno ?? 0)) throw error
    return false
  }
}

function statements(random: Random, keys: number): readonly string[] {
  const id = 1 + random(keys)
  const other = 1 + random(keys * 2)
  const big = `REPEAT(MD5('${random(1e9)}'), ${1 + random(80)})`
  const day = `DATE '2026-01-01' + INTERVAL ${random(220)} DAY`
  const spelled = ['K', 'k', 'K', 'k'][random(4)] ?? 'k'
  switch (random(18)) {
    case 0:
      return [`INSERT IGNORE INTO acct (id, qty, name, big) VALUES (${other}, ${random(9)}, 'new', ${big})`]
    case 1:
      return [`REPLACE INTO acct (id, qty, name, seat, total) VALUES (${other}, 1, 'replaced', ${id}, 0.10)`]
    case 2:
      return [`INSERT INTO acct (id, qty) VALUES (${other}, 1) ON DUPLICATE KEY UPDATE qty = qty + 1, big = ${big}`]
    case 3:
    case 4:
    case 5:
      return [`UPDATE acct SET qty = qty + 1, name = 'u${random(1e6)}' WHERE id = ${id}`]
    case 6:
      return [`DELETE FROM acct WHERE id = ${id}`]
    case 7:
      return [`UPDATE IGNORE acct SET id = ${other} WHERE id = ${id}`]
    case 8:
      // Two rows exchange their unique values.
      return [
        `SELECT seat INTO @one FROM acct WHERE id = ${id}`,
        `SELECT seat INTO @two FROM acct WHERE id = ${other}`,
        `UPDATE acct SET seat = NULL WHERE id IN (${id}, ${other})`,
        `UPDATE acct SET seat = @two WHERE id = ${id}`,
        `UPDATE acct SET seat = @one WHERE id = ${other} AND id <> ${id}`,
      ]
    case 9:
      return [`INSERT IGNORE INTO moves VALUES (${id}, '${spelled}${random(5)}', ${random(100)})`]
    case 10:
    case 11:
      // Equal under the key's collation, but a different value for most targets.
      return [`UPDATE IGNORE moves SET b = '${spelled}${random(5)}', a = ${id} WHERE a >= ${id} ORDER BY a LIMIT 1`]
    case 12:
      return [`UPDATE moves SET b = UPPER(b) WHERE a = ${id}`]
    case 13:
      return [`DELETE FROM moves WHERE a = ${id}`]
    case 14:
      return [`INSERT IGNORE INTO ev VALUES (${other}, ${day}, ${random(9)})`]
    case 15:
      return [`UPDATE IGNORE ev SET day = ${day} WHERE id = ${id}`]
    case 16:
      return [`DELETE FROM ev WHERE id = ${id}`]
    default:
      return ['UPDATE cnt SET n = n + 1 WHERE id = 1']
  }
}

/** A linear congruential generator: the same numbers for the same seed. */
function randomOf(seed: number): Random {
  let state = (seed * 2_654_435_761) >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Objects that streams have left at the source. */
export async function leftInMysql(source: Place): Promise<readonly string[]> {
  const rows = await source.rows(
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'sluice%'
     UNION ALL SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'sluice%'`,
  )
  return rows.map(([name]) => name ?? '')
}
