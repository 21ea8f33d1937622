/**
 * A comparison that several programs share has the same result as one program alone, even if a program joins late, is
 * lost, or answers too late.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { planCopy } from '../../src/engine/copy/plan/plan-copy.ts'
import { prepareLedger } from '../../src/engine/copy/ledger/schema.ts'
import type { RunOwner } from '../../src/engine/copy/ledger/owner.ts'
import { openCopyStore } from '../../src/engine/copy/open-stores.ts'
import { SourceViews } from '../../src/engine/copy/source-views.ts'
import {
  compareSnapshot,
  type ComparingOptions,
  type NumberedTables,
} from '../../src/engine/follow/compare/compare-snapshot.ts'
import type { FollowTable } from '../../src/engine/follow/stream/followed-table.ts'
import type { ComparedSnapshot } from '../../src/engine/follow/compare/common-snapshot.ts'
import { compareFor } from '../../src/engine/follow/together/compare-for.ts'
import { compareTogether } from '../../src/engine/follow/together/compare-together.ts'
import { RoundLedger } from '../../src/engine/follow/together/rounds.ts'
import type { RangeResult } from '../../src/engine/follow/compare/range-answer.ts'
import type { Event, EventBody } from '../../src/model/run/event.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { systemClock } from '../../src/shared/clock.ts'
import { newOwner } from '../../src/shared/owner.ts'
import type { CopyStore } from '../../src/model/copy/port.ts'
import type { LedgerDatabase } from '../../src/model/run/ledger-port.ts'
import type { SourceView } from '../../src/model/copy/source-port.ts'
import { copyOf, missing, makePlace, type Place } from '../support/copy-systems.ts'
import { NOBODYS_PID } from '../support/lease-owners.ts'

const MISSING = await missing('postgresql')
const STREAM = '5'
const SHARED = 'run 7'
const TABLES = ['a', 'b', 'c', 'd', 'e'] as const
const ROWS = 4000
const { signal } = new AbortController()

const ownerOf = (more: Partial<RunOwner> = {}): RunOwner => ({ ...newOwner('here'), runId: 1n, ...more })

describe.skipIf(MISSING !== '')(`a comparison that several programs share ${MISSING}`, { timeout: 60_000 }, () => {
  let [source, target]: Place[] = []
  let from: CopyStore
  let to: CopyStore
  let database: LedgerDatabase
  let tables: NumberedTables

  beforeAll(async () => {
    source = await makePlace('postgresql', '')
    target = await makePlace('postgresql', '')
    for (const place of [source, target]) {
      for (const name of TABLES) {
        await place.sql(
          `CREATE TABLE ${name} AS SELECT g AS id, 'row ' || g AS note FROM generate_series(1, ${ROWS}) g`,
          `ALTER TABLE ${name} ADD PRIMARY KEY (id)`,
          `ANALYZE ${name}`,
        )
      }
      // Without a key it is compared as a whole, so no rows are named.
      await place.sql('CREATE TABLE f AS SELECT g % 50 AS n FROM generate_series(1, 500) g')
    }
    await target.sql(
      `DELETE FROM b WHERE id IN (7, 3999)`,
      `INSERT INTO b VALUES (${ROWS + 1}, 'nobody''s')`,
      `UPDATE c SET note = 'other' WHERE id % 1000 = 0`,
      `UPDATE f SET n = 51 WHERE n = 3`,
    )
    from = await openCopyStore(source.url, { mode: 'read' })
    to = await openCopyStore(target.url, { mode: 'write' })
    database = await to.ledger()
    await prepareLedger(database)
    await using views = new SourceViews(from, signal)
    const copy = { ...copyOf(source, target, 'a', { onExisting: 'append' }), tables: [...TABLES, 'f'] }
    const planned = await planCopy(copy, from, to, { views, again: (body) => body(), signal })
    tables = planned.tables.map(({ plan, error }, at) => {
      if (plan === null) throw error ?? new Error('a table is not planned')
      return [at, { plan } as FollowTable]
    })
  })
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]()
    await from?.[Symbol.asyncDispose]()
    await to?.[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    await new RoundLedger(database, ownerOf()).end(STREAM).catch(() => undefined)
  })

  const events: EventBody[] = []
  const options: ComparingOptions = {
    emit: (event) => void events.push(event),
    clock: systemClock,
    signal,
    found: () => undefined,
  }

  /**
   * A snapshot of both sides, which do not change.
   * @param gate passed before each range that this program compares
   */
  async function momentNow(gate: () => Promise<void> = async () => undefined): Promise<ComparedSnapshot> {
    const [one, other] = [await from.source(signal), await to.source(signal)]
    const digest: SourceView['digest'] = async (request, under) => {
      await gate()
      return await one.digest(request, under)
    }
    const gated = new Proxy(one, {
      get: (view, name) => {
        if (name === 'digest') return digest
        const member: unknown = Reflect.get(view, name, view)
        return typeof member === 'function' ? (member as (...args: never) => unknown).bind(view) : member
      },
    })
    const dispose = async (): Promise<void> => {
      await Promise.all([one[Symbol.asyncDispose](), other[Symbol.asyncDispose]()])
    }
    return { source: gated, target: other, position: 0n, pauseMs: 0, [Symbol.asyncDispose]: dispose }
  }

  async function alone(): Promise<readonly unknown[]> {
    await using moment = await momentNow()
    return withoutTimes(await compareSnapshot(tables, moment, options))
  }

  /** Compares with other programs; this program's own ranges wait until `until` is settled. */
  async function together(call: () => void, until: Promise<unknown>): Promise<readonly unknown[]> {
    await using moment = await momentNow(async () => void (await until))
    const shared = { database, owner: ownerOf(), stream: STREAM, sharedRun: SHARED, call }
    return await compareTogether(tables, moment, options, shared)
  }

  function helper(owner: RunOwner = ownerOf({ host: 'there', machine: 'boot/2' })): ReturnType<typeof compareFor> {
    const said: Event[] = []
    return compareFor({
      from: source?.url ?? '',
      to: target?.url ?? '',
      sharedRun: SHARED,
      owner,
      emit: (event) => void said.push(event as Event),
      clock: systemClock,
      interrupt: new Interrupter(),
    })
  }

  test('finds what one program finds, and reports how much of it others compared', async () => {
    const expected = await alone()
    expect(expected.map((one) => (one as { differences: unknown[] }).differences.length)).toEqual([0, 3, 4, 0, 0, 0])
    const { called, call } = calling()
    const helped = called.then(() => Promise.all([helper(), helper()]))
    const found = await together(call, helped)
    expect(withoutTimes(found)).toEqual(expected)
    const counts = (await helped).map(({ ranges }) => ranges)
    const elsewhere = found.map((one) => (one as { elsewhere: number }).elsewhere)
    expect(elsewhere.reduce((sum, n) => sum + n)).toBe(counts.reduce((sum, n) => sum + n))
    // This program has one range, and waits there for the others.
    expect(counts.reduce((sum, n) => sum + n)).toBe(TABLES.length)
    expect(await database.all('SELECT count(*) FROM migration_proof_ranges')).toEqual([[0]])
  })

  test('uses the snapshots of the program that has the stream, whatever has changed since', async () => {
    const expected = await alone()
    const { called, call } = calling()
    const helped = called.then(async () => {
      await target?.sql(`UPDATE d SET note = 'later'`)
      await source?.sql(`DELETE FROM e WHERE id > 3`)
      return await helper()
    })
    expect(withoutTimes(await together(call, helped))).toEqual(expected)
    expect((await helped).ranges).toBe(TABLES.length)
    await target?.sql(`UPDATE d SET note = 'row ' || id`)
    await source?.sql(`INSERT INTO e SELECT g, 'row ' || g FROM generate_series(4, ${ROWS}) g`)
  })

  test('completes if no other program joins', async () => {
    expect(withoutTimes(await together(() => undefined, Promise.resolve()))).toEqual(await alone())
  })

  test('takes over ranges of a dead program and of an expired lease, whose late answers are ignored', async () => {
    const { called, call } = calling()
    const gone = new RoundLedger(database, ownerOf({ pid: NOBODYS_PID }))
    const frozen = new RoundLedger(database, ownerOf({ host: 'there', machine: 'boot/2' }))
    const held = called.then(async () => {
      const round = await frozen.openRound(SHARED)
      if (round === null) throw new Error('there is no round')
      const one = await gone.claim(round.id, null)
      const other = await frozen.claim(round.id, null)
      if (one === null || other === null) throw new Error('nothing was left to be claimed')
      await target?.sql(`UPDATE migration_proof_ranges SET lease_until = 1 WHERE claim = '${other.claim}'`)
      return { round: round.id, other }
    })
    const expected = await alone()
    expect(withoutTimes(await together(call, held))).toEqual(expected)
    const { round, other } = await held
    expect(await frozen.answer(round, other, WRONG)).toBe(false)
    expect(await frozen.isOpen(round)).toBe(false)
    expect(await database.all('SELECT count(*) FROM migration_proof_ranges')).toEqual([[0]])
  })

  test('ends for its helpers when another program takes the stream', async () => {
    await using moment = await momentNow()
    const names = { sourceSnapshot: moment.source.exported ?? '', targetSnapshot: moment.target.exported ?? '' }
    const before = new RoundLedger(database, ownerOf())
    const first = await before.begin(STREAM, SHARED, { ...names, tables: tables.map(([, { plan }]) => ({ plan })) })
    await before.add(first, [{ no: 0, table: 0, range: { by: 'key', after: null, through: null } }])
    const claimed = await before.claim(first, null)
    // Another program has resumed the run after its end: no range of the earlier comparison is left.
    const second = await before.begin(STREAM, `${SHARED}/later`, { ...names, tables: [] })
    expect(claimed === null ? null : await before.answer(first, claimed, WRONG)).toBe(false)
    expect([await before.isOpen(first), await before.isOpen(second)]).toEqual([false, true])
    expect(await database.all('SELECT count(*) FROM migration_proof_ranges')).toEqual([[0]])
  })

  test('a helper compares nothing if the snapshots are gone or no comparison is open', async () => {
    expect(await helper()).toEqual({ ranges: 0, rows: 0n })
    const rounds = new RoundLedger(database, ownerOf())
    const round = await rounds.begin(STREAM, SHARED, {
      sourceSnapshot: '00000003-0000001B-1',
      targetSnapshot: '00000003-0000001B-1',
      tables: tables.map(([, { plan }]) => ({ plan })),
    })
    await rounds.add(round, [{ no: 0, table: 0, range: { by: 'all' } }])
    expect(await helper()).toEqual({ ranges: 0, rows: 0n })
    expect(await rounds.claim(round, null)).toMatchObject({ no: 0 })
  })
})

/** An answer for a range that was never compared. */
const WRONG: RangeResult = {
  rows: 1n,
  targetRows: 2n,
  sums: null,
  differences: [],
  more: 7,
  missing: 0,
  extra: 0,
  unread: 0,
}

/** A promise that is settled once workers are called. */
function calling(): { readonly called: Promise<void>; readonly call: () => void } {
  let call = (): void => undefined
  const called = new Promise<void>((resolve) => (call = resolve))
  return { called, call }
}

function withoutTimes(compared: readonly unknown[]): readonly unknown[] {
  return compared.map((one) => {
    const { ms: _ms, elsewhere: _elsewhere, ...rest } = one as { ms: number; elsewhere?: number }
    return rest
  })
}
