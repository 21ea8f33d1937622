/** What a stream sends: what it repeats after a loss, in which order, up to which position, and what ends it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Change, LogPosition } from '../../src/model/copy/change.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { ChangeStream, FollowedTable } from '../../src/model/follow/port.ts'
import { CopySession } from '../../src/stores/postgresql/server/session.ts'
import { openPostgresCopy } from '../../src/stores/postgresql/copy/index.ts'
import { Changes } from '../../src/stores/postgresql/follow/replication/changes.ts'
import { commitFence } from '../../src/stores/postgresql/server/lsn.ts'
import { ReplicatedRelations } from '../../src/stores/postgresql/follow/replication/relations.ts'
import { WalSender } from '../../src/stores/postgresql/follow/replication/walsender.ts'
import { postgresSettings } from '../../src/stores/postgresql/server/settings.ts'
import { POSTGRES_OWN } from '../support/servers/postgresql.ts'
import { psql } from './copy-postgresql-kit.ts'
import {
  startRecord,
  endBirth,
  followed,
  isActive,
  open,
  rowsOnly,
  startLogical,
  take,
  types,
  until,
  type Birth,
  type LogicalServer,
} from './replication-kit.ts'

describe.skipIf(!POSTGRES_OWN)('a stream (needs a server of its own)', () => {
  let live: LogicalServer
  let store: CopyStore
  let table: FollowedTable
  const births: Birth[] = []

  beforeAll(async () => {
    live = await startLogical()
    store = await openPostgresCopy(live.url)
    await live.sql.run('CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE unpublished (v text)')
    table = await followed(store, 'public.t')
  })

  afterEach(async () => {
    for (const one of births.splice(0)) await endBirth(live.sql, one)
    await live.sql.run('TRUNCATE t')
  })

  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    await live.sql.close()
    await live.server[Symbol.asyncDispose]()
  })

  async function born(): Promise<Birth> {
    const one = await startRecord(live.sql, 't')
    births.push(one)
    return one
  }

  async function confirmed(slot: string): Promise<LogPosition> {
    const [[bytes] = []] = await live.sql.rows(
      `SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = '${slot}'`,
    )
    return BigInt(String(bytes))
  }

  async function fenced(): Promise<LogPosition> {
    const session = await CopySession.open(postgresSettings(live.url), 'read')
    try {
      return await commitFence(session)
    } finally {
      await session.close()
    }
  }

  /** Positions that are reported, up to this one. */
  async function reportedUpTo(stream: ChangeStream, position: LogPosition): Promise<readonly LogPosition[]> {
    const reported: LogPosition[] = []
    await until(async () => {
      for (const change of await stream.next(500)) {
        if (change.type === 'idle') reported.push(change.position)
        if (change.type === 'commit') reported.push(change.end)
      }
      return (reported.at(-1) ?? 0n) >= position
    })
    return reported
  }

  test('adjacent commits: with the first confirmed, a new connection sends the second, and not the first again', async () => {
    const at = await born()
    const [one, two] = await Promise.all([psql(live.url), psql(live.url)])
    let from = at.start
    let pair: readonly [Change, Change, Change] | null = null
    for (let i = 0; pair === null && i < 200; i++) {
      await one.run(`SET synchronous_commit TO off; BEGIN; INSERT INTO t VALUES (${2 * i})`)
      await two.run(`SET synchronous_commit TO off; BEGIN; INSERT INTO t VALUES (${2 * i + 1})`)
      await Promise.all([one.run('COMMIT'), two.run('COMMIT')])
      await using stream = await open(live.url, at, [table], from)
      const changes = await take(stream, 2)
      const [end, begin] = [changes[2], changes[3]]
      if (end?.type !== 'commit' || begin?.type !== 'begin') throw new Error('two transactions of one row were written')
      if (end.end === begin.commit) {
        pair = [changes[1] as Change, end, begin]
        stream.confirm(end.end)
        await live.sql.run(
          `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${at.slot}'`,
        )
      } else from = (changes.at(-1) as Change & { type: 'commit' }).end
    }
    await Promise.all([one.close(), two.close()])
    if (pair === null) throw new Error('no two commits followed each other directly')
    const [first, { end }, begin] = pair as readonly [Change, Change & { type: 'commit' }, Change]
    await until(async () => !(await isActive(live.sql, at.slot)))
    // The position that the server remembers is not beyond the first one.
    expect(await confirmed(at.slot)).toBeLessThanOrEqual(end)
    await using again = await open(live.url, at, [table], end)
    const changes = await take(again, 1)
    expect(changes[0]).toEqual(begin)
    expect(rowsOnly(changes)).toHaveLength(1)
    expect(rowsOnly(changes)).not.toContainEqual(first)
  })

  test('a confirmation before the end of a stream has reached the server, and the slot is free after the end', async () => {
    const at = await born()
    await live.sql.run("INSERT INTO t VALUES (1, 'a')")
    const stream = await open(live.url, at, [table])
    const last = (await take(stream, 1)).at(-1) as Change & { type: 'commit' }
    stream.confirm(last.end)
    stream.confirm(at.start)
    await stream[Symbol.asyncDispose]()
    expect(await isActive(live.sql, at.slot)).toBe(false)
    expect(await confirmed(at.slot)).toBe(last.end)
    await expect(stream.next(0)).rejects.toThrow('closed')
  })

  test('nothing is confirmed that was not reported as durable, even if the server asks', async () => {
    const at = await born()
    await live.sql.run("INSERT INTO t VALUES (1, 'a')")
    // The position is reported four times during this.
    await live.sql.run(`ALTER DATABASE live SET wal_sender_timeout TO '2s'`)
    try {
      await using stream = await open(live.url, at, [table])
      const first = (await take(stream, 1)).at(-1) as Change & { type: 'commit' }
      await live.sql.run("INSERT INTO t VALUES (2, 'b')")
      const second = (await take(stream, 1)).at(-1) as Change & { type: 'commit' }
      stream.confirm(first.end)
      const reported = async (): Promise<readonly bigint[]> => {
        const [row = []] = await live.sql.rows(
          `SELECT r.write_lsn - '0/0', r.flush_lsn - '0/0', r.replay_lsn - '0/0', s.confirmed_flush_lsn - '0/0'
           FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid WHERE s.slot_name = '${at.slot}'`,
        )
        return row.map((lsn) => (typeof lsn === 'string' ? BigInt(lsn) : 0n))
      }
      await until(async () => {
        const [received = 0n, flushed = 0n] = await reported()
        return received >= second.end && flushed > 0n
      })
      expect((await reported()).slice(1)).toEqual([first.end, first.end, first.end])
    } finally {
      await live.sql.run('ALTER DATABASE live RESET wal_sender_timeout')
    }
  })

  test('rolled back transactions and savepoints are absent; transactions come in commit order', async () => {
    const at = await born()
    const other = await psql(live.url)
    await other.run('BEGIN; INSERT INTO t VALUES (1)')
    await live.sql.run('BEGIN; INSERT INTO t VALUES (2); ROLLBACK')
    await live.sql
      .run(`BEGIN; INSERT INTO t VALUES (3); SAVEPOINT a; INSERT INTO t VALUES (4); SAVEPOINT b; INSERT INTO t VALUES (5);
      ROLLBACK TO a; INSERT INTO t VALUES (6); RELEASE a; COMMIT`)
    await other.run('COMMIT')
    await other.close()
    await using stream = await open(live.url, at, [table])
    const changes = await take(stream, 2)
    expect(types(changes)).toEqual(['begin', 'insert', 'insert', 'commit', 'begin', 'insert', 'commit'])
    expect(rowsOnly(changes).map((change) => change.type === 'insert' && change.row[0])).toEqual(['3', '6', '1'])
  })

  test("the position advances while nothing is published, up to the source's position, and never back", async () => {
    const at = await born()
    await using stream = await open(live.url, at, [table])
    const all: LogPosition[] = []
    for (let i = 0; i < 5; i++) {
      await live.sql.run("SET synchronous_commit TO off; INSERT INTO unpublished VALUES ('x')")
      all.push(...(await reportedUpTo(stream, await fenced())))
    }
    await live.sql.run('RESET synchronous_commit')
    expect(all).toEqual(all.toSorted((a, b) => Number(a - b)))
    expect(new Set(all).size).toBe(all.length)
    expect(stream.end).toBeGreaterThanOrEqual(all.at(-1) ?? 0n)
    // A position outside of transactions is confirmed like any other.
    stream.confirm(all.at(-1) ?? 0n)
    await until(async () => (await confirmed(at.slot)) === all.at(-1))
  })

  test('a slot that another program reads is active, until it is taken over', async () => {
    const at = await born()
    await live.sql.run("INSERT INTO t VALUES (1, 'a')")
    await using first = await open(live.url, at, [table])
    await expect(open(live.url, at, [table])).rejects.toMatchObject({ code: 'SLOT_ACTIVE', retryable: true })
    await using second = await open(live.url, at, [table], at.start, { takeOver: true })
    expect(rowsOnly(await take(second, 1))).toHaveLength(1)
    await expect(
      (async () => {
        for (;;) await first.next(1000)
      })(),
    ).rejects.toMatchObject({ code: 'CONNECTION_LOST', kind: 'source', retryable: true })
  })

  test('a slot that is gone, of another kind, or invalidated is lost', async () => {
    const at = await born()
    const lost = { code: 'SLOT_LOST', exitCode: 5 }
    await expect(open(live.url, { ...at, slot: 'no_such_slot' }, [table])).rejects.toMatchObject(lost)
    await live.sql.run("SELECT pg_create_physical_replication_slot('physical')")
    await expect(open(live.url, { ...at, slot: 'physical' }, [table])).rejects.toMatchObject(lost)
    await live.sql.run("SELECT pg_drop_replication_slot('physical')")
    await live.server.createDatabase('elsewhere')
    await expect(open(live.server.url('elsewhere'), at, [table])).rejects.toMatchObject(lost)
    await live.sql.run("ALTER SYSTEM SET max_slot_wal_keep_size TO '1MB'")
    await live.sql.run('SELECT pg_reload_conf()')
    try {
      await until(async () => {
        await live.sql.run("SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000)), pg_switch_wal()")
        await live.sql.run('CHECKPOINT')
        const [[status] = []] = await live.sql.rows(
          `SELECT wal_status FROM pg_replication_slots WHERE slot_name = '${at.slot}'`,
        )
        return status === 'lost'
      })
      await expect(open(live.url, at, [table])).rejects.toMatchObject(lost)
    } finally {
      await live.sql.run('ALTER SYSTEM RESET max_slot_wal_keep_size')
      await live.sql.run('SELECT pg_reload_conf()')
    }
  })

  test('changes made while the publication was missing halt the stream', async () => {
    const at = await born()
    await live.sql.run(`INSERT INTO t VALUES (1); DROP PUBLICATION ${at.publication}`)
    await live.sql.run('INSERT INTO t VALUES (2)')
    await live.sql.run(`CREATE PUBLICATION ${at.publication} FOR TABLE t`)
    await live.sql.run('INSERT INTO t VALUES (3)')
    await using stream = await open(live.url, at, [table])
    const seen: Change[] = []
    await expect(
      (async () => {
        for (;;) seen.push(...(await stream.next(1000)))
      })(),
    ).rejects.toMatchObject({ code: 'STREAM_HALTED' })
    expect(rowsOnly(seen).filter((change) => change.type !== 'insert' || change.row[0] !== '1')).toEqual([])
  })

  test('a role without REPLICATION is refused with the statement that helps', async () => {
    await live.sql.run("CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT SELECT ON t TO plain")
    const at = await born()
    await expect(open(live.server.url('live', 'plain', 'plain'), at, [table])).rejects.toMatchObject({
      code: 'SOURCE_DENIED',
      hint: 'as a superuser: ALTER ROLE plain REPLICATION',
    })
  })

  test('with origin none, replicated changes are left out', async ({ skip }) => {
    skip((await live.server.major()) < 15, 'before PostgreSQL 15 empty transactions are told, too')
    const at = await born()
    await live.sql.run(
      "SELECT pg_replication_origin_create('elsewhere'); SELECT pg_replication_origin_session_setup('elsewhere')",
    )
    await live.sql.run('INSERT INTO t VALUES (1)')
    await live.sql.run('SELECT pg_replication_origin_session_reset()')
    await live.sql.run('INSERT INTO t VALUES (2)')
    await using all = await open(live.url, at, [table])
    expect(rowsOnly(await take(all, 2))).toHaveLength(2)
    await all[Symbol.asyncDispose]()
    await using own = await open(live.url, at, [table], at.start, { origin: 'none' })
    const kept = [{ type: 'insert', table: 0, row: ['2', null] }]
    // A change that this program leaves out, and not the server, leaves an empty transaction.
    expect(rowsOnly(await take(own, (await live.server.major()) < 16 ? 2 : 1))).toEqual(kept)
    await own[Symbol.asyncDispose]()
    // As a server before version 16 sends it: everything, preceded by the origin.
    const settings = postgresSettings(live.url)
    const session = await CopySession.open(settings, 'read')
    const changes = new Changes(
      await ReplicatedRelations.open(session, [table], {}, (sql) => session.ask(sql)),
      at.start,
      {
        ownOnly: true,
      },
    )
    await session.close()
    await using sender = await WalSender.start(settings, { ...at, from: at.start })
    const seen: Change[] = []
    await until(async () => {
      for (let block = sender.shift(); block !== null; block = sender.shift()) {
        changes.give(block)
        while (!changes.isEmpty) await changes.read()
      }
      seen.push(...changes.take())
      return seen.filter(({ type }) => type === 'commit').length === 2
    })
    expect(rowsOnly(seen)).toEqual(kept)
  })
})
