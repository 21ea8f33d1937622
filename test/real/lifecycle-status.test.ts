/**
 * `sluice lifecycle` from a config file that it writes to a table whose old partitions are archived: the status of each
 * phase, and the printed commands are run.
 */
import { ALL } from '../support/backend.ts'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { callsIn } from '../../src/app/whole-commands/call.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { shellWords } from '../../src/shared/shell-words.ts'
import type { Event } from '../../src/model/run/event.ts'
import type { LifecyclePhaseEvent } from '../../src/model/partition/lifecycle-events.ts'
import { Interrupter } from '../../src/shared/abort.ts'
import { BIN } from '../e2e/support/program.ts'
import { copyOf, perform, placeOn, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

const NAME = `Book ing's "x"`
const TABLE = `public.${NAME}`
const QUOTED = `"Book ing's ""x"""`

describe.skipIf(!POSTGRES_OWN)('lifecycle (needs a server of its own)', { timeout: 90_000 }, () => {
  let server: PostgresServer
  let folder = ''

  beforeAll(async () => {
    server = await startFollowServer()
    folder = mkdtempSync(join(tmpdir(), 'sluice-lifecycle-'))
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await server[Symbol.asyncDispose]()
  })

  /** Runs a command in a shell, as it is printed. */
  const shell = async (command: string, url: string, to = ''): Promise<string> => {
    const line = command.replace(/^sluice /, `"${process.execPath}" "${BIN}" `)
    const env = { ...process.env, BOOKINGS_URL: url, TWIN_URL: to }
    return (await promisify(execFile)('sh', ['-c', `${line} --json 2>/dev/null || true`], { cwd: folder, env })).stdout
  }
  const events = (out: string): readonly Event[] =>
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Event)

  async function status(url: string, file = 'sluice.yaml', to = ''): Promise<readonly LifecyclePhaseEvent[]> {
    const { request } = await parseCommandLine(['lifecycle', 'status', '--config', join(folder, file)], {
      BOOKINGS_URL: url,
      TWIN_URL: to,
    })
    if (request.kind !== 'operation') throw new Error(request.kind)
    const ran = await perform(request.operation)
    expect(ran.finished).toMatchObject({ exitCode: 0 })
    const phases = ran.events.filter((event) => event.type === 'lifecycle.phase')
    const env = { BOOKINGS_URL: url, TWIN_URL: to }
    for (const { detail, next = '', also = [], blocks = [] } of phases)
      for (const text of [detail, next, ...also, ...blocks])
        for (const { words } of callsIn(text)) {
          const line = words.map(({ raw }) => raw).join(' ')
          const asked = await parseCommandLine(shellWords(line, env), env)
          expect(asked.request.kind, line).toBe('operation')
        }
    return phases
  }
  const file = (name: string, entry: Readonly<Record<string, string | number>>): void =>
    writeFileSync(join(folder, name), stringify({ lifecycle: { [TABLE]: entry } }))

  async function until<T>(look: () => Promise<T>, wanted: (seen: T) => boolean): Promise<T> {
    for (;;) {
      const seen = await look()
      if (wanted(seen)) return seen
    }
  }

  const states = (phases: readonly LifecyclePhaseEvent[]): readonly string[] => phases.map(({ state }) => state)

  async function plainTable(): Promise<Place> {
    const place = await placeOn('postgresql', server.url())
    await place.sql(
      `CREATE TABLE ${QUOTED} (id bigint, "Made at" timestamptz NOT NULL, note text, PRIMARY KEY ("Made at", id))`,
      `INSERT INTO ${QUOTED} SELECT i, timestamptz '2021-04-01 12:00Z' + i * interval '1 day', 'n' || i FROM generate_series(0, 1500) i`,
      `ANALYZE ${QUOTED}`,
    )
    return place
  }

  test('init writes the properties of the table, and no password, into a file that status reads', async () => {
    const place = await plainTable()
    const line = `sluice lifecycle init --from "$BOOKINGS_URL" --table '${TABLE.replace("'", `'\\''`)}' --by 'Made at' --year-offset 1 --archive ./cold --older-than 8q`
    expect(events(await shell(line, place.url)).at(-1)).toMatchObject({
      type: 'run.finished',
      exitCode: 0,
      resumeCommand: 'sluice lifecycle status --config sluice.yaml',
    })
    const text = readFileSync(join(folder, 'sluice.yaml'), 'utf8')
    expect(text).toContain('from: $BOOKINGS_URL')
    expect(text).toMatch(/# 1501 rows in 17 periods by Made at, Q2-FY22 to Q2-FY26/)
    expect(text).not.toContain('postgresql://')
    const phases = await status(place.url)
    expect(states(phases)).toEqual(['not begun', 'not begun', 'not begun', 'not begun'])
    const [first] = phases
    expect(first?.table).toBe(TABLE)
    const planned = events(await shell(first?.next?.replace(' run ', ' plan ') ?? '', place.url))
    expect(planned.filter(({ type }) => type === 'partition.forecast')).toHaveLength(17)
    expect(planned.at(-1)).toMatchObject({ exitCode: 0 })

    // Other entries of the file stay, and an existing entry is not overwritten.
    writeFileSync(join(folder, 'sluice.yaml'), `# mine\nworkers: 3 # three\n${text}`)
    await shell('sluice trust .', place.url)
    const again = events(await shell(line, place.url)).at(-1)
    expect(again).toMatchObject({ exitCode: 2, error: { code: 'BAD_CONFIG' } })
    const zoned = events(await shell(`${line} --replace --zone Europe/Berlin`, place.url)).at(-1)
    expect(zoned, JSON.stringify(zoned)).toMatchObject({
      exitCode: 0,
    })
    const replaced = readFileSync(join(folder, 'sluice.yaml'), 'utf8')
    expect(replaced).toContain('# mine\nworkers: 3 # three\n')
    expect(replaced.match(/zone: /g)).toHaveLength(1)
    expect(replaced).toContain('zone: Europe/Berlin')
  })

  test(
    'phase I is read from the ledger of the target: followed, not running, signed, halted',
    { timeout: 90_000 },
    async () => {
      const place = await plainTable()
      const target = await placeOn('postgresql', server.url())
      const parts = Array.from({ length: 6 }, (_, i) => 2020 + i).map(
        (year) =>
          `CREATE TABLE p${year} PARTITION OF ${QUOTED} FOR VALUES FROM ('${year}-01-01') TO ('${year + 1}-01-01')`,
      )
      await target.sql(
        `CREATE TABLE ${QUOTED} (id bigint, "Made at" timestamptz NOT NULL, note text, PRIMARY KEY (id, "Made at")) PARTITION BY RANGE ("Made at")`,
        ...parts,
      )
      file('followed.yaml', { from: '$BOOKINGS_URL', to: '$TWIN_URL', by: 'Made at' })
      const copy = { ...copyOf(place, target, TABLE, { chunkRows: 400 }), follow: {} }
      expect((await perform({ ...copy, follow: { until: 'caught-up' } })).finished).toMatchObject({ exitCode: 0 })
      const look = (): Promise<readonly LifecyclePhaseEvent[]> => status(place.url, 'followed.yaml', target.url)
      const [alone, later] = await look()
      expect(alone).toMatchObject({ state: 'due', rows: '1501', lagBytes: expect.stringMatching(/^\d+$/) as string })
      expect(alone?.chunks).toBe(alone?.chunksDone)
      expect(alone?.detail).toMatch(/no program follows stream \d+/)
      expect(later).toMatchObject({ state: 'not begun' })

      await place.sql(`INSERT INTO ${QUOTED} VALUES (9000, '2024-05-05', 'late')`)
      const went = events(await shell(`${alone?.next} --until-equal`, place.url, target.url))
      expect(went.at(-1)).toMatchObject({ type: 'run.finished', exitCode: 0 })
      const [proved] = await look()
      expect(proved).toMatchObject({ state: 'due', equal: true })

      const interrupt = new Interrupter()
      const following = perform({ ...copy, follow: {} }, { interrupt })
      const [live] = await until(
        () => look(),
        ([first]) => first?.next?.includes('sign-off') === true,
      )
      expect(live?.state).toBe('due')
      const signed = events(await shell(live?.next ?? '', place.url, target.url))
      expect(signed.at(-1)).toMatchObject({ type: 'run.finished', exitCode: 0 })
      interrupt.requestStop()
      await following
      const [done, due] = await look()
      expect(done).toMatchObject({ state: 'done', signedBy: expect.any(String) as string })
      expect(due).toMatchObject({ state: 'due' })

      // The state that a run leaves if it is killed while it empties the table.
      await target.sql(`UPDATE migration_stream_tables SET state = 'resync'`)
      const [anew] = await look()
      expect(anew).toMatchObject({ chunks: '0', chunksDone: '0', rows: '0' })
      await target.sql(`UPDATE migration_stream_tables SET state = 'live'`)

      await place.sql(`DROP PUBLICATION sluice_${done?.stream}`)
      await perform({ ...copy, follow: { until: 'caught-up' } })
      const [halted] = await look()
      expect(halted).toMatchObject({ state: 'blocked' })
      expect(halted?.blocks?.[0]).toMatch(/publication/)
    },
  )

  test('phases II to IV report a partitioned table, missing and due partitions, and commands that complete them', async () => {
    const place = await placeOn('postgresql', server.url())
    const now = new Date()
    const quarter = Math.floor(now.getUTCMonth() / 3)
    const day = (back: number): string =>
      new Date(Date.UTC(now.getUTCFullYear(), 3 * (quarter - back), 1)).toISOString().slice(0, 10)
    await place.sql(
      `CREATE TABLE ${QUOTED} (id bigint, "Made at" date NOT NULL, note text, PRIMARY KEY (id, "Made at")) PARTITION BY RANGE ("Made at")`,
      ...[3, 2, 1, 0].map(
        (back) =>
          `CREATE TABLE "p ${back}" PARTITION OF ${QUOTED} FOR VALUES FROM ('${day(back)}') TO ('${day(back - 1)}')`,
      ),
      `CREATE TABLE rest PARTITION OF ${QUOTED} DEFAULT`,
      ...[3, 2, 1, 0, -1].map(
        (back) => `INSERT INTO ${QUOTED} SELECT i, '${day(back)}', 'n' FROM generate_series(1, 20) i`,
      ),
    )
    file('parts.yaml', { from: '$BOOKINGS_URL', ahead: 1, 'older-than': '1q', archive: './cold' })
    const look = (): Promise<readonly LifecyclePhaseEvent[]> => status(place.url, 'parts.yaml')
    const before = await look()
    expect(states(before)).toEqual(['done', 'not asked for', 'due', 'due'])
    const [, , coming, archiving] = before
    expect(coming).toMatchObject({ partitions: '5', coveredTo: day(-1), missing: '1', defaultRows: '20' })
    expect(archiving).toMatchObject({ due: '2', archived: '0' })

    expect(events(await shell(coming?.next ?? '', place.url)).at(-1)).toMatchObject({ exitCode: 0 })
    // An archived row is missing in the table: a run would be refused again, so the next command shows the difference.
    expect(events(await shell(`${archiving?.next} --no-detach`, place.url)).at(-1)).toMatchObject({ exitCode: 0 })
    await place.sql(`DELETE FROM ${QUOTED} WHERE id = 1 AND "Made at" = '${day(3)}'`)
    expect(events(await shell(`${archiving?.next} --grace 0s`, place.url)).at(-1)).toMatchObject({ exitCode: 1 })
    const [, , , differing] = await look()
    expect(differing).toMatchObject({ state: 'blocked', next: expect.stringMatching(/^sluice restore .* --dry-run /) })
    const shown = await shell(differing?.next ?? '', place.url)
    expect(shown).toContain('1 archived row is missing')
    expect(shown).toContain('--as-changed')
    await place.sql(`INSERT INTO ${QUOTED} VALUES (1, '${day(3)}', 'n')`)

    const went = events(await shell(`${archiving?.next} --grace 0s`, place.url))
    expect(went.at(-1)).toMatchObject({ exitCode: 0 })
    const after = await look()
    expect(states(after)).toEqual(['done', 'not asked for', 'done', 'done'])
    expect(after[2]).toMatchObject({ missing: '0', defaultRows: '0', coveredTo: day(-2) })
    expect(after[3]).toMatchObject({ due: '0', archived: '2', archivedTo: day(1) })

    const quotedTable = `'${TABLE.replace("'", `'\\''`)}'`
    const dropped = events(await shell(`${after[3]?.also?.[0]} --confirm=${quotedTable}`, place.url))
    expect(dropped.at(-1)).toMatchObject({ exitCode: 0 })
    // A restored partition is no longer due: a run skips it unless it is named.
    const label = went.flatMap((event) => (event.type === 'archive.state' ? [event.partition] : []))[0] ?? ''
    const restored = await shell(
      `sluice restore --from "$BOOKINGS_URL" --table ${quotedTable} --partition '${label}'`,
      place.url,
    )
    expect(events(restored).at(-1), restored).toMatchObject({ exitCode: 0 })
    const [, , , back] = await look()
    expect(back).toMatchObject({ state: 'done', due: '0', archived: '1' })
    expect(back?.detail).toContain(`restored, and archived again only with --partition: ${label}`)

    // A run does not archive a partition without rows, so it is no longer due.
    await place.sql(`CREATE TABLE "p 4" PARTITION OF ${QUOTED} FOR VALUES FROM ('${day(4)}') TO ('${day(3)}')`)
    const [, , , empty] = await look()
    expect(empty).toMatchObject({ state: 'done', due: '0' })
    expect(empty?.detail).toContain('without rows, to be detached and dropped by hand: ')

    await place.sql(`INSERT INTO ${QUOTED} VALUES (77, '${day(2)}', 'late')`)
    const [, , late] = await look()
    expect(late?.blocks?.join()).toContain('sluice restore --table')
    await place.sql(`DELETE FROM ${QUOTED} WHERE id = 77`)

    // A partition that does not match any period.
    await place.sql(
      `CREATE TABLE odd PARTITION OF ${QUOTED} FOR VALUES FROM ('${day(-3)}') TO ('${day(-3).slice(0, 8)}15')`,
    )
    file('parts.yaml', { from: '$BOOKINGS_URL', calendar: 'quarter', ahead: 4, 'older-than': '1q', archive: './cold' })
    const [, , odd] = await look()
    expect(odd?.state).toBe('blocked')
    expect(odd?.blocks?.some((block) => block.startsWith('overlap: it holds a part of'))).toBe(true)
  })

  test('phase III is done if the default partition has only rows that no period can hold', async () => {
    const place = await placeOn('postgresql', server.url())
    const year = new Date().getUTCFullYear()
    await place.sql(
      `CREATE TABLE ${QUOTED} (id bigint, "Made at" date NOT NULL, note text, PRIMARY KEY (id, "Made at")) PARTITION BY RANGE ("Made at")`,
      ...[-1, 0, 1].map(
        (ahead) =>
          `CREATE TABLE "p ${ahead}" PARTITION OF ${QUOTED} FOR VALUES FROM ('${year + ahead}-01-01') TO ('${year + ahead + 1}-01-01')`,
      ),
      `CREATE TABLE rest PARTITION OF ${QUOTED} DEFAULT`,
    )
    file('ancient.yaml', { from: '$BOOKINGS_URL', ahead: 1 })
    const look = (): Promise<readonly LifecyclePhaseEvent[]> => status(place.url, 'ancient.yaml')
    // No partition is made for years before Christ: such rows stay in the default partition, as the plan reports.
    await place.sql(
      `INSERT INTO ${QUOTED} VALUES (78, '0044-03-15 BC', 'sentinel'), (79, 'infinity', 'open'), (80, '10000-01-01', 'far')`,
    )
    const [, , ancient] = await look()
    expect(ancient).toMatchObject({ state: 'done', defaultRows: '3' })
    expect(ancient?.detail).toContain('3 rows without a time of the years 1 to 9999 stay in the default partition')
    await place.sql(`INSERT INTO ${QUOTED} VALUES (81, '1995-01-01', 'old')`)
    expect((await look())[2]).toMatchObject({ state: 'blocked', defaultRows: '4' })
  })

  test('a missing table and a database that does not respond do not hide the status of other tables', async () => {
    const place = await plainTable()
    writeFileSync(
      join(folder, 'several.yaml'),
      stringify({
        from: '$BOOKINGS_URL',
        lifecycle: { 'public.gone': { by: 'x' }, far: { from: 'postgresql://nobody@127.0.0.1:1/x' }, [TABLE]: {} },
      }),
    )
    const out = events(await shell('sluice lifecycle status --config several.yaml', place.url))
    expect(out.filter((event) => event.type === 'lifecycle.phase').map(({ table, state }) => [table, state])).toEqual([
      [TABLE, 'not asked for'],
      [TABLE, 'not begun'],
      [TABLE, 'not begun'],
      [TABLE, 'not asked for'],
    ])
    expect(out.at(-1)).toMatchObject({ type: 'run.finished', totals: { tables: '1', failed: '2' } })
    expect(out.at(-1)).not.toMatchObject({ exitCode: 0 })
  })

  // The guide's own test runs them, too.
  test.runIf(ALL)('all four phases in one database, by the commands that status prints', async () => {
    const place = await plainTable()
    file('way.yaml', { from: '$BOOKINGS_URL', by: 'Made at', ahead: 1 })
    const look = (): Promise<readonly LifecyclePhaseEvent[]> => status(place.url, 'way.yaml')
    const run = async (phase: LifecyclePhaseEvent | undefined, more = ''): Promise<void> => {
      const last = events(await shell(`${phase?.next} ${more}`, place.url)).at(-1)
      expect(last, `${phase?.next} ${more} ${JSON.stringify(last)}`).toMatchObject({
        type: 'run.finished',
        exitCode: 0,
      })
    }
    const confirm = (name: string): string => `--confirm='${name.replaceAll("'", `'\\''`)}'`

    const [begin] = await look()
    expect(begin).toMatchObject({ state: 'not begun' })
    await run(begin, '--until-equal')
    const [filled, waiting] = await look()
    expect(filled).toMatchObject({ state: 'due', rows: '1501', equal: true })
    expect(waiting).toMatchObject({ state: 'not begun' })
    await run({ ...(filled as LifecyclePhaseEvent), next: filled?.next?.replace(' follow ', ' sign-off ') ?? '' })

    const [signed, ready] = await look()
    expect(signed).toMatchObject({ state: 'done', stream: filled?.stream })
    expect(ready).toMatchObject({ state: 'due' })
    await run(ready, confirm(TABLE))

    const [done, switched, coming] = await look()
    expect(done).toMatchObject({ state: 'done', stream: filled?.stream })
    expect(switched).toMatchObject({ state: 'due', turn: 1, pauseMs: expect.any(Number) as number })
    expect(switched?.detail).toMatch(/no program follows stream/)
    expect(coming?.state).toBe('done')
    await run(switched, '--end')
    const [, free] = await look()
    expect(free).toMatchObject({ state: 'due', parked: switched?.parked })
    await run(free)
    const [, inactive] = await look()
    expect(inactive).toMatchObject({ state: 'running' })
    expect(inactive?.detail).toMatch(/is inactive since/)
    await run(free, `--grace 0s ${confirm(switched?.parked ?? '')}`)
    const [, gone] = await look()
    expect(gone).toMatchObject({ state: 'done' })
    expect(gone?.detail).toMatch(/was dropped/)
  })
})
