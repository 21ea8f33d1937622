/**
 * MySQL and MariaDB as sources with change logs written by triggers: what a batch reports, what halts a stream, what is
 * refused, and effects on writers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection, type Connection } from 'mysql2/promise'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Change } from '../../src/model/copy/change.ts'
import { EVERY_KEY } from '../../src/model/copy/range.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeSource, ChangeStream, FollowedTable, StreamStart } from '../../src/model/follow/port.ts'
import { reportsSnapshots } from '../../src/model/follow/snapshot-port.ts'
import { mysqlConfig } from '../../src/stores/mysql/config.ts'
import { mysqlSourceError } from '../../src/stores/mysql/copy/errors.ts'
import { openMysqlCopy } from '../../src/stores/mysql/copy/index.ts'
import { openCopySession } from '../../src/stores/mysql/copy/sessions.ts'
import { awaitMysqlLock } from '../../src/stores/mysql/follow/triggers/busy.ts'
import { mysqlTriggerCost } from '../../src/stores/mysql/follow/triggers/cost.ts'
import { makePlace, missing, type Place } from '../support/copy-systems.ts'
import { columnsOf, readAll, rowsOf, SIGNAL, tableOf } from './copy-mysql-kit.ts'

const NAME = 'sluice_77'
const MISSING = await missing('mysql')
/** A limit for polls, not a fixed wait. */
const WAIT = { timeout: 20_000, interval: 50 }

const TABLES = [
  'CREATE TABLE plain (id INT PRIMARY KEY, v VARCHAR(20), w VARCHAR(20))',
  "INSERT INTO plain SELECT seq, CONCAT('v', seq), NULL FROM seq_1_to_20",
  'CREATE TABLE folded (k VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_swedish_ci, n INT, v INT, PRIMARY KEY (k, n))',
  "INSERT INTO folded VALUES ('a', 1, 1), ('b', 1, 1)",
]

let place: Place
let store: CopyStore
let source: ChangeSource
let tables: readonly FollowedTable[]
let startRecord: StreamStart

async function followedAs(one: CopyStore, ...names: readonly string[]): Promise<readonly FollowedTable[]> {
  const found = await Promise.all(names.map((name) => tableOf(one, name)))
  return found.map((table) => ({ table, columns: columnsOf(table), identity: table.key }))
}

function triggersOf(one: CopyStore): ChangeSource {
  const found = one.offers.triggerChanges?.()
  if (found === undefined) throw new Error(`${one.label} tells no changes`)
  return found
}

/** A new database, with a stream on its tables. */
async function staged(statements: readonly string[], ...names: readonly string[]): Promise<void> {
  place = await makePlace('mysql', '')
  await place.sql(...statements)
  store = await openMysqlCopy(place.url)
  source = triggersOf(store)
  tables = await followedAs(store, ...names)
  startRecord = await source.begin(NAME, tables, SIGNAL)
}

async function session(): Promise<Connection & AsyncDisposable> {
  const connection = await createConnection(place.url)
  return Object.assign(connection, { [Symbol.asyncDispose]: async () => connection.destroy() })
}

const open = (from = startRecord.start): Promise<ChangeStream> =>
  source.open(startRecord, tables, source.position(from), SIGNAL)

/** The changes up to a commit in short form, or an empty list after some polls without any. */
async function reported(stream: ChangeStream, confirms = true): Promise<string[]> {
  const words: string[] = []
  for (let i = 0; i < 200; i++) {
    const changes = await stream.next(50)
    words.push(...changes.flatMap(wordsOf))
    const end = changes.find((change) => change.type === 'commit')
    if (end?.type === 'commit') {
      if (confirms) stream.confirm(end.end)
      return words.toSorted()
    }
    if (changes.length === 0 && words.length === 0 && i > 2) return words
  }
  return words
}

function wordsOf(change: Change): readonly string[] {
  const name = (at: number): string => tables[at]?.table.table.name ?? ''
  if (change.type === 'delete') return [`- ${name(change.table)} ${change.key.join(' ')}`]
  if (change.type === 'insert' || change.type === 'update') return [`+ ${name(change.table)} ${change.row.join(' ')}`]
  return change.type === 'reshaped' ? [`! ${name(change.table)}`] : []
}

const halted = async (applied = startRecord.start): Promise<readonly string[]> => {
  const { faults } = await source.verify(startRecord, tables, source.position(applied), SIGNAL)
  return faults.map(({ code, message }) => `${code} ${message}`)
}

const logOf = (at: number): string => `${NAME}_keys_${at + 1}`

/** Tables and triggers of a stream in the database. */
async function left(): Promise<readonly string[]> {
  const rows = await place.rows(
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'sluice%'
     UNION ALL SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND TRIGGER_NAME LIKE 'sluice%'`,
  )
  return rows.map(([name]) => name ?? '')
}

describe.skipIf(MISSING !== '')(`a stream by triggers of MariaDB ${MISSING}`, () => {
  afterEach(async () => {
    await store?.[Symbol.asyncDispose]()
  })

  describe('of two tables', () => {
    beforeEach(() => staged(TABLES, 'plain', 'folded'))

    test('reports rows with their current values, both keys of a moved row, and no row twice', async () => {
      await using stream = await open()
      await using writer = await session()
      await writer.beginTransaction()
      for (const sql of [
        "UPDATE plain SET v = 'a' WHERE id = 1",
        'SAVEPOINT a',
        "UPDATE plain SET v = 'no' WHERE id = 2",
        'ROLLBACK TO SAVEPOINT a',
        'UPDATE plain SET id = 101 WHERE id = 3',
        "UPDATE plain SET v = 'b' WHERE id = 1",
        'DELETE FROM plain WHERE id = 4',
        "REPLACE INTO plain VALUES (5, 'r', NULL)",
        "INSERT INTO plain VALUES (6, 'x', NULL) ON DUPLICATE KEY UPDATE w = 'dup'",
        "INSERT IGNORE INTO plain VALUES (7, 'ignored', NULL), (107, 'new', NULL)",
      ])
        await writer.query(sql)
      await writer.commit()
      expect(await reported(stream)).toEqual([
        '+ plain 1 b ',
        '+ plain 101 v3 ',
        '+ plain 107 new ',
        '+ plain 5 r ',
        '+ plain 6 v6 dup',
        '- plain 3',
        '- plain 4',
      ])
      expect(await reported(stream)).toEqual([])
      expect(await place.rows(`SELECT COUNT(*) FROM ${logOf(0)}`)).toEqual([['1']])
    })

    test('all keys of a large batch are deleted before its rows, if other values must be unique', async () => {
      await place.sql('ALTER TABLE plain ADD UNIQUE (v), MODIFY w MEDIUMTEXT', 'ALTER TABLE folded MODIFY v MEDIUMTEXT')
      // The columns have other types now.
      await source.end(NAME, SIGNAL)
      tables = await followedAs(store, 'plain', 'folded')
      startRecord = await source.begin(NAME, tables, SIGNAL)
      await using stream = await open()
      const round = async (...statements: readonly string[]): Promise<readonly string[]> => {
        await place.sql('START TRANSACTION', ...statements, 'COMMIT')
        for (const words: string[] = []; ;) {
          const changes = await stream.next(50)
          words.push(...changes.flatMap(wordsOf).map((word) => word.slice(0, 3)))
          const end = changes.find((change) => change.type === 'commit')
          if (end?.type !== 'commit') continue
          stream.confirm(end.end)
          return words
        }
      }
      const rotate = (length: number): readonly string[] => [
        "UPDATE plain SET v = CONCAT('-', id)",
        `UPDATE plain SET v = CONCAT('v', id % 19 + 1), w = REPEAT('x', ${length})`,
      ]
      const of = (word: string, count: number): readonly string[] => Array<string>(count).fill(word)
      expect(await round('DELETE FROM plain WHERE id = 20', ...rotate(1_000_000))).toEqual(['- p', ...of('+ p', 19)])
      expect(await round(...rotate(2_000_000))).toEqual([...of('- p', 19), ...of('+ p', 19)])
      // Many notes of few bytes; the other table has no other unique index.
      expect(
        await round('INSERT INTO plain SELECT seq, seq, NULL FROM seq_101_to_10200', "UPDATE folded SET v = 'x'"),
      ).toEqual([...of('- p', 10_100), ...of('+ p', 10_100), ...of('+ f', 2)])
    })

    test('a key that changes to another spelling is reported as deleted under the old one', async () => {
      await using stream = await open()
      await place.sql("UPDATE folded SET k = 'A' WHERE k = 'a'", "UPDATE folded SET v = 2 WHERE k = 'B'")
      expect(await reported(stream)).toEqual(['+ folded A 1 1', '+ folded b 1 2', '- folded a 1'])
      await place.sql("UPDATE folded SET k = 'a ' WHERE k = 'a'", "UPDATE folded SET k = 'ä' WHERE k = 'b'")
      expect(await reported(stream)).toEqual(['+ folded a  1 1', '+ folded ä 1 2', '- folded A 1', '- folded b 1'])
    })

    test('a lower number that commits later is not lost, and removal of old entries waits for no transaction', async () => {
      await using stream = await open()
      await using slow = await session()
      await slow.query('SET autocommit = 0')
      await slow.query("UPDATE plain SET v = 'slow' WHERE id = 1")
      await place.sql("UPDATE plain SET v = 'quick' WHERE id = 2")
      await slow.query("UPDATE plain SET v = 'slow' WHERE id = 3")
      expect(await reported(stream)).toEqual(['+ plain 2 quick '])
      await place.sql("UPDATE plain SET w = 'quicker' WHERE id = 2")
      expect(await reported(stream)).toEqual(['+ plain 2 quick quicker'])
      await slow.query('COMMIT')
      expect(await reported(stream)).toEqual(['+ plain 1 slow ', '+ plain 3 slow '])
    })

    test('an unconfirmed batch is sent again, with the current rows', async () => {
      {
        await using stream = await open()
        await place.sql("UPDATE plain SET v = 'a' WHERE id = 1", 'DELETE FROM plain WHERE id = 2')
        expect(await reported(stream, false)).toEqual(['+ plain 1 a ', '- plain 2'])
      }
      await place.sql("UPDATE plain SET v = 'b' WHERE id = 1", "INSERT INTO plain VALUES (2, 'again', NULL)")
      await using stream = await open()
      expect(await reported(stream)).toEqual(['+ plain 1 b ', '+ plain 2 again '])
    })

    test('a snapshot shows what was reported, and nothing later', async () => {
      await using stream = await open()
      if (!reportsSnapshots(stream)) throw new Error('tells no moments')
      await place.sql("UPDATE plain SET v = 'a' WHERE id = 1")
      const words: string[] = []
      await using view = await stream.snapshot(async (changes) => void words.push(...changes.flatMap(wordsOf)))
      expect(words).toEqual(['+ plain 1 a '])
      if (view === null) throw new Error('there was no moment')
      await place.sql('DELETE FROM plain WHERE id > 1')
      const [plain] = tables
      if (plain === undefined) throw new Error('nothing is followed')
      expect(await view.counts?.({ table: plain.table, ranges: [EVERY_KEY], where: null }, SIGNAL)).toEqual([20n])
      // The read does not block an ALTER of the table.
      await place.sql('SET lock_wait_timeout = 1', "ALTER TABLE plain COMMENT = 'altered'")
    })

    test('a snapshot waits for a table that is locked, longer than a batch', async () => {
      await using stream = await open()
      if (!reportsSnapshots(stream)) throw new Error('tells no moments')
      await place.sql("UPDATE plain SET v = 'a' WHERE id = 1")
      await using view = await stream.snapshot(async () => undefined)
      const [plain] = tables
      if (view === null || plain === undefined) throw new Error('there was no moment')
      await using locker = await session()
      await locker.query('LOCK TABLES plain WRITE')
      const counted = view.counts?.({ table: plain.table, ranges: [EVERY_KEY], where: null }, SIGNAL)
      await sleep(1500)
      await locker.query('UNLOCK TABLES')
      expect(await counted).toEqual([20n])
    })

    test('later statements of a session wait for locks as before', async () => {
      const config = mysqlConfig(place.url)
      await using one = await openCopySession(config, 'write')
      const waits = (): Promise<unknown> => one.rows('SELECT @@SESSION.lock_wait_timeout')
      const usual = await waits()
      const wait = { session: one, signal: SIGNAL, tell: () => undefined, waitLimitMs: 20_000 }
      await awaitMysqlLock(wait, 'the table', 'DROP TABLE IF EXISTS other')
      expect(await waits()).toEqual(usual)
      await mysqlTriggerCost(one, config.database, tables, SIGNAL)
      expect(await waits()).toEqual(usual)
      await using locker = await session()
      await locker.query('LOCK TABLES plain WRITE')
      await one.command('SET SESSION lock_wait_timeout = 1')
      const failure = await one.rows('SELECT * FROM plain').catch((error: unknown) => error)
      expect(mysqlSourceError(failure, 'here')).toMatchObject({ code: 'TARGET_BUSY', retryable: true })
    })

    test('a table that is locked, or altered after the snapshot, is reported later', async () => {
      await using stream = await open()
      await place.sql("UPDATE plain SET v = 'x' WHERE id = 1")
      await using locker = await session()
      await locker.query('LOCK TABLES plain WRITE')
      expect(await stream.next(100)).toEqual([])
      await locker.query('UNLOCK TABLES')
      expect(await reported(stream)).toEqual(['+ plain 1 x '])
    })

    test('a start of a stream reports whom it waits for', async () => {
      await source.end(NAME, SIGNAL)
      await using holder = await session()
      await holder.query('START TRANSACTION')
      await holder.query('SELECT * FROM plain WHERE id = 1')
      const said: string[] = []
      const beginning = source.begin(NAME, tables, SIGNAL, (message) => void said.push(message))
      await expect
        .poll(() => said.join(), { timeout: 10_000 })
        .toMatch(/the trigger on .*plain waits for open transactions: session \d+ of /)
      await holder.query("UPDATE plain SET v = 'before' WHERE id = 1")
      await holder.query('COMMIT')
      startRecord = await beginning
      await using stream = await open()
      expect(await reported(stream)).toEqual([])
    })

    test('a position is reached by a batch or a poll that began after it', async () => {
      await using stream = await open()
      const fence = await source.fence(SIGNAL)
      const changes = await stream.next(500)
      expect(changes).toEqual([{ type: 'idle', position: fence }])
      // Nothing is written to a source at rest.
      const [before] = await place.rows(`SELECT * FROM ${NAME}_progress`)
      expect(await stream.next(300)).toEqual([])
      expect(await place.rows(`SELECT * FROM ${NAME}_progress`)).toEqual([before])
      expect(await halted(source.text(fence))).toEqual([])
    })

    test('leaves nothing behind when it ends, can end twice, and a start removes the objects of an earlier one', async () => {
      expect((await left()).length).toBe(11)
      startRecord = await source.begin(NAME, tables, SIGNAL)
      expect((await left()).length).toBe(11)
      await source.end(NAME, SIGNAL)
      expect(await left()).toEqual([])
      await source.end(NAME, SIGNAL)
    })

    test('writers keep their own LAST_INSERT_ID, SQL modes and zero dates', async () => {
      await using writer = await session()
      await writer.query('CREATE TABLE own (id INT AUTO_INCREMENT, d DATE, PRIMARY KEY (id, d))')
      tables = await followedAs(store, 'own')
      startRecord = await source.begin('sluice_78', tables, SIGNAL)
      await writer.query("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'")
      await writer.query("INSERT INTO own (d) VALUES ('2024-01-01')")
      expect((await writer.query('SELECT LAST_INSERT_ID() AS n'))[0]).toEqual([{ n: 1 }])
      await using stream = await open()
      expect(await reported(stream)).toEqual(['+ own 1 2024-01-01'])
      await writer.query("INSERT INTO own VALUES (2, '0000-00-00')")
      await expect(reported(stream)).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
      await source.end('sluice_78', SIGNAL)
    })
  })

  test('halts if one of two new partitions comes and goes, and reports both before their rows', async () => {
    await staged(
      ['CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))'],
      'parts',
    )
    await place.sql(
      'ALTER TABLE parts ADD PARTITION (PARTITION p1 VALUES LESS THAN (20), PARTITION `P Ä` VALUES LESS THAN (30))',
      'INSERT INTO parts VALUES (1), (25)',
    )
    await using stream = await open()
    const types = (await stream.next(1000)).map(({ type }) => type)
    expect(types).toEqual(['begin'])
    const found = await stream.next(1000)
    expect(found.map(({ type }) => type)).toEqual(['partition', 'partition'])
    expect(await reported(stream)).toEqual(['+ parts 1', '+ parts 25'])
    // They are reported once.
    await place.sql('INSERT INTO parts VALUES (26)')
    expect(await reported(stream)).toEqual(['+ parts 26'])
    await place.sql('ALTER TABLE parts DROP PARTITION `P Ä`')
    expect(await halted('2')).toEqual([
      expect.stringMatching(/^TABLE_CHANGED .*partition .* was added, and then dropped/),
    ])
  })

  test('continues with a new partition that an inspection found without rows', async () => {
    await staged(
      ['CREATE TABLE parts (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10))'],
      'parts',
    )
    await using stream = await open()
    await place.sql('ALTER TABLE parts ADD PARTITION (PARTITION p1 VALUES LESS THAN (20))')
    const { moved } = await source.verify(startRecord, tables, 0n, SIGNAL)
    startRecord = { ...startRecord, shapes: { ...startRecord.shapes, ...moved } }
    await place.sql('INSERT INTO parts VALUES (15)')
    expect(await reported(stream)).toEqual(['+ parts 15'])
    expect(await halted('1')).toEqual([])
  })

  test('a text that is not valid UTF-8 ends the stream', async () => {
    await staged(TABLES, 'plain')
    await place.sql("UPDATE plain SET v = X'61EDA08062' WHERE id = 3")
    await using stream = await open()
    await expect(reported(stream)).rejects.toMatchObject({ code: 'VALUE_REFUSED' })
    await source.end(NAME, SIGNAL)
  })

  test('a table with a generated column is unchanged for every session, and its triggers are removed', async () => {
    await staged(['CREATE TABLE g (id INT PRIMARY KEY, v INT, d INT AS (v * 2) STORED)'], 'g')
    expect(await halted()).toEqual([])
    startRecord = (await source.renew?.(startRecord, tables, 0n, SIGNAL)) ?? startRecord
    expect(await halted()).toEqual([])
    await place.sql('CREATE TRIGGER theirs BEFORE UPDATE ON g FOR EACH ROW SET NEW.v = 1')
    const behind = await store.dependencies().notCopied({ tables: [{ name: 'g' }], all: false }, SIGNAL)
    expect(JSON.stringify(behind)).toMatch(/theirs/)
    expect(JSON.stringify(behind)).not.toMatch(/sluice/)
  })

  test('the empty member and the error value of an enum are two keys', async () => {
    const rows = "SET sql_mode = ''"
    await staged(
      [
        "CREATE TABLE e (k ENUM('b', '', 'a') NOT NULL, n INT NOT NULL, PRIMARY KEY (k, n))",
        rows,
        'INSERT INTO e SELECT 2, seq FROM seq_1_to_4',
        'INSERT IGNORE INTO e SELECT 0, seq FROM seq_1_to_3',
      ],
      'e',
    )
    await using stream = await open()
    await place.sql(
      'DELETE FROM e WHERE n = 1',
      'DELETE FROM e WHERE k + 0 = 2 AND n = 2',
      rows,
      'UPDATE IGNORE e SET k = 0 WHERE n = 4',
    )
    expect(await reported(stream)).toEqual(['+ e 0 4', '- e  1', '- e  2', '- e  4', '- e 0 1'].toSorted())
  })

  test("keys of every type are reported as copies read them, whatever the writer's settings", async () => {
    const keys: Readonly<Record<string, readonly [type: string, ...values: string[]]>> = {
      bits: ['BIT(12)', "b'101'", "b'111'"],
      decimals: ['DECIMAL(20, 6)', '1.5', '-123456789.000001'],
      datetimes: ['DATETIME(6)', "'2024-02-29 23:59:59.123456'", "'1999-01-01'"],
      // Both are 02:30 in Berlin.
      moments: ['TIMESTAMP', 'FROM_UNIXTIME(1729989000)', 'FROM_UNIXTIME(1735689600)'],
      enums: ["ENUM('b', 'a', 'x''y') CHARACTER SET latin1", "'a'", "'x''y'"],
      raws: ['VARBINARY(20)', "X'00ff20'", "X'00ff'"],
      longs: [
        'VARCHAR(700) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci',
        "REPEAT('ß', 700)",
        "CONCAT(REPEAT('a', 699), 'b')",
      ],
      uuids: ['UUID', "'123e4567-e89b-12d3-a456-426614174000'", "'00000000-0000-0000-0000-000000000001'"],
      years: ['YEAR', '1999', '2024'],
      bigs: ['BIGINT UNSIGNED', '18446744073709551615', '0'],
      chars: ['CHAR(4) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin', "'ab'", "'é'"],
    }
    const made = Object.entries(keys).map(
      ([name, [type]]) => `CREATE TABLE ${name} (k ${type} NOT NULL PRIMARY KEY, v INT)`,
    )
    await staged(made, ...Object.keys(keys))
    await using stream = await open()
    await using writer = await session()
    await writer.query("SET time_zone = '+01:00', sql_mode = 'PAD_CHAR_TO_FULL_LENGTH', character_set_client = latin1")
    const seen: string[] = []
    for (const [name, [, one = '', two = '']] of Object.entries(keys)) {
      await place.sql(`INSERT INTO ${name} VALUES (${one}, 1), (${two}, 2)`)
      await writer.query(`UPDATE ${name} SET v = v + 1`)
    }
    seen.push(...(await reported(stream)))
    const view = await store.source(SIGNAL)
    const rows: string[] = []
    for (const { table } of tables)
      for (const row of await readAll(view, rowsOf(table))) rows.push(`+ ${table.table.name} ${row.join(' ')}`)
    await view[Symbol.asyncDispose]()
    expect(rows).toHaveLength(22)
    expect(seen).toEqual(rows.toSorted())
    // A deleted row is reported by the key that it had.
    for (const name of Object.keys(keys)) await writer.query(`DELETE FROM ${name}`)
    const gone = rows.map((row) => row.replace(/^\+/, '-').replace(/ \d+$/, ''))
    expect(await reported(stream)).toEqual(gone.toSorted())
  })

  describe('halts', () => {
    beforeEach(() => staged(TABLES, 'plain', 'folded'))

    test.each([
      ['TRUNCATE TABLE plain', /^TABLE_CHANGED .*plain: it was emptied by TRUNCATE/],
      [
        'ALTER TABLE plain ADD COLUMN more INT DEFAULT 3',
        /^TABLE_CHANGED .*plain: its columns have changed: now more int/,
      ],
      [
        'ALTER TABLE plain CHANGE v w VARCHAR(20), CHANGE w v VARCHAR(20)',
        /^TABLE_CHANGED .*plain: the order of its columns has changed: id, w, v/,
      ],
      ['RENAME TABLE plain TO gone', /^TABLE_CHANGED .*plain: it was dropped or renamed/],
      [`DROP TRIGGER ${NAME}_1_upd`, /^TRIGGERS_CHANGED .*plain: trigger sluice_77_1_upd was dropped/],
      [`DROP TRIGGER ${NAME}_1_guard`, /^TRIGGERS_CHANGED .*plain: trigger sluice_77_1_guard was dropped/],
      [`TRUNCATE TABLE ${logOf(0)}`, /^TRIGGERS_CHANGED .*plain: its log .* was emptied/],
      [`DROP TABLE ${NAME}_progress`, /^SLOT_LOST the row of .* is gone/],
      [`UPDATE ${NAME}_progress SET token = UUID()`, /^OTHER_SERVER .* belongs to another stream/],
      ['ALTER TABLE plain DROP PRIMARY KEY, ADD UNIQUE (w)', /^TABLE_CHANGED .*plain: /],
    ])('after %s', async (statement, why) => {
      await place.sql(statement)
      const found = await halted()
      expect(found.join('\n')).toMatch(why)
      expect(found.length).toBe(1)
    })

    test('after a generated column of which one 4-byte character has changed', async () => {
      await source.end(NAME, SIGNAL)
      const generated = (text: string): string =>
        `g VARCHAR(30) CHARACTER SET utf8mb4 AS (CONCAT(v, '${text}')) VIRTUAL`
      await place.sql(`ALTER TABLE plain ADD COLUMN ${generated('😀')}`)
      tables = await followedAs(store, 'plain', 'folded')
      startRecord = await source.begin(NAME, tables, SIGNAL)
      expect(await halted()).toEqual([])
      await place.sql(`ALTER TABLE plain MODIFY ${generated('😁')}`)
      expect((await halted()).join()).toMatch(/^TABLE_CHANGED .*plain: its columns have changed: .*😀.*; now .*😁/)
    })

    test('after a foreign key that was added and dropped between two checks', async () => {
      // The server records the time of an ALTER in seconds: wait until another second has begun.
      const isLater = `SELECT NOW() > CREATE_TIME + INTERVAL 1 SECOND FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'plain'`
      await vi.waitFor(async () => expect(await place.rows(isLater)).toEqual([['1']]), WAIT)
      await using other = await session()
      await other.query('CREATE TABLE parent (id INT PRIMARY KEY)')
      await other.query('SET foreign_key_checks = 0')
      await other.query('ALTER TABLE plain ADD CONSTRAINT z FOREIGN KEY (id) REFERENCES parent (id) ON DELETE CASCADE, ALGORITHM = NOCOPY') // prettier-ignore
      await other.query('ALTER TABLE plain DROP FOREIGN KEY z')
      expect((await halted()).join()).toMatch(/^TABLE_CHANGED .*plain: it was altered, and altered back/)
    })

    test('continues after an index, a comment, a default and a trigger of another program', async () => {
      await place.sql(
        'CREATE INDEX w_of_plain ON plain (w)',
        "ALTER TABLE plain COMMENT = 'hello', ALTER COLUMN w SET DEFAULT 'd'",
        "CREATE TRIGGER theirs BEFORE UPDATE ON plain FOR EACH ROW SET NEW.w = CONCAT('t', NEW.id)",
      )
      const { faults, moved } = await source.verify(startRecord, tables, 0n, SIGNAL)
      expect(faults).toEqual([])
      startRecord = { ...startRecord, shapes: { ...startRecord.shapes, ...moved } }
      await using stream = await open()
      await place.sql('UPDATE plain SET id = 500 WHERE id = 9')
      expect(await reported(stream)).toEqual(['+ plain 500 v9 t500', '- plain 9'])
    })

    test('rows of a log cannot be deleted, and a table that is altered after a snapshot is never reported in part', async () => {
      await place.sql("UPDATE plain SET v = 'x' WHERE id = 1")
      await expect(place.sql(`DELETE FROM ${logOf(0)}`)).rejects.toThrow(/log of stream sluice_77/)
      await place.sql('ALTER TABLE plain MODIFY COLUMN v INT, ALGORITHM = COPY').catch(() => undefined)
      await place.sql('TRUNCATE TABLE plain', "INSERT INTO plain VALUES (1, 'y', NULL)")
      await using stream = await open()
      expect(await stream.next(200)).toMatchObject([{ type: 'reshaped', table: 0 }])
    })

    test('after a restore of the source, and of the target, to an earlier time', async () => {
      await using stream = await open()
      await place.sql("UPDATE plain SET v = 'x' WHERE id = 1")
      await reported(stream)
      const position = await source.fence(SIGNAL)
      expect(await halted(source.text(position + 5n))).toEqual([
        expect.stringMatching(/^OTHER_SERVER .* restored to an earlier/),
      ])
      while ((await place.rows(`SELECT forgotten FROM ${NAME}_progress`))[0]?.[0] === '0') await stream.next(10)
      expect(await halted('0')).toEqual([expect.stringMatching(/^SLOT_LOST notes up to 1 were removed/)])
    })
  })

  describe('refuses', () => {
    test('tables that cannot be followed, all at once, by name', async () => {
      await staged(
        [
          ...TABLES,
          'CREATE TABLE nokey (a INT)',
          'CREATE TABLE nulls (a INT UNIQUE)',
          'CREATE TABLE isam (id INT PRIMARY KEY) ENGINE = MyISAM',
          'CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES plain (id) ON DELETE CASCADE)',
          'CREATE TABLE setnull (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES plain (id) ON UPDATE SET NULL)',
          'CREATE TABLE restricts (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES plain (id))',
        ],
        'plain',
      )
      const asked = await followedAs(store, 'plain', 'nokey', 'nulls', 'isam', 'child', 'setnull', 'restricts')
      const { refusals, identities } = await source.inspect(asked, SIGNAL)
      expect(refusals.map(({ message }) => message.replace(/^[^.]*\./, ''))).toEqual([
        'nokey has no key that identifies its rows',
        'nulls has no unique index without NULL on (a) to identify its rows',
        expect.stringMatching(/^isam is a table of MyISAM/),
        expect.stringMatching(
          /^child has the foreign key .* \(ON DELETE CASCADE\): changes that the server makes by it fire no triggers/,
        ),
        expect.stringMatching(/^setnull has the foreign key .* \(ON UPDATE SET NULL\)/),
      ])
      expect(identities.map((names) => names.length)).toEqual([1, 0, 0, 0, 0, 0, 1])
    })

    test('a login without the rights, and prepared transactions', async () => {
      await staged(TABLES, 'plain')
      const url = new URL(place.url)
      const database = url.pathname.slice(1)
      await place.sql(
        `CREATE OR REPLACE USER reader_${database.slice(1, 7)}@'%' IDENTIFIED BY 'word'`,
        `GRANT SELECT, CREATE ON \`${database}\`.* TO reader_${database.slice(1, 7)}@'%'`,
        `XA START '${database}'`,
        "UPDATE plain SET v = 'x' WHERE id = 1",
        `XA END '${database}'`,
        `XA PREPARE '${database}'`,
      )
      url.username = `reader_${database.slice(1, 7)}`
      url.password = 'word'
      await using other = await openMysqlCopy(url.href)
      const { refusals } = await triggersOf(other).inspect(await followedAs(other, 'plain'), SIGNAL)
      const said = refusals.map(({ message }) => message).join('\n')
      await place.sql(`XA ROLLBACK '${database}'`)
      expect(said).toMatch(/has no DROP, INSERT, UPDATE, DELETE, TRIGGER on database/)
      expect(said).toMatch(/has no right PROCESS, without which a TRUNCATE cannot be detected/)
      expect(said).toMatch(/XA transactions are prepared: /)
      expect(said).toMatch(/plain cannot get triggers: this login has no TRIGGER on the table/)
    })
  })
})
