/**
 * A due phase of a table is started on the phases screen: the plan first, then a second key, and a typed name before
 * data is removed. On a real server.
 */
import { ALL } from '../support/backend.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { BIN } from '../e2e/support/program.ts'
import { perform, placeOn, type Place } from '../support/copy-systems.ts'
import { cutoverStage, PUBLIC, type CutoverStage } from '../support/cutover-stage.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'
import { compiled, openPty, type PtyApp } from './support/pty.ts'

const NAME = `Order's "x"`
const TABLE = `public.${NAME}`
const QUOTED = `"Order's ""x"""`
const SIZES = [
  { columns: 80, rows: 24 },
  { columns: 120, rows: 40 },
  { columns: 200, rows: 60 },
]

/** First day of the quarter that is this many after the current one. */
function day(ahead: number): string {
  const now = new Date()
  return new Date(Date.UTC(now.getUTCFullYear(), 3 * (Math.floor(now.getUTCMonth() / 3) + ahead), 1))
    .toISOString()
    .slice(0, 10)
}

describe.skipIf(!POSTGRES_OWN || !compiled)('phases (need a server of their own)', { timeout: 60_000 }, () => {
  let server: PostgresServer
  let folder = ''
  let open: PtyApp[] = []

  beforeAll(async () => {
    server = await startFollowServer()
    folder = mkdtempSync(join(tmpdir(), 'sluice-phases-'))
  })
  afterEach(async () => {
    for (const app of open) {
      try {
        app.kill('SIGKILL')
      } catch {
        // The process has ended already.
      }
      await app.ended
    }
    open = []
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true })
    await server[Symbol.asyncDispose]()
  })

  const partitions = async (place: Place): Promise<number> => {
    const [[count] = []] = await place.rows(
      `SELECT count(*)::text FROM pg_inherits WHERE inhparent = '${QUOTED.replaceAll("'", "''")}'::regclass`,
    )
    return Number(count)
  }

  async function partitioned(): Promise<Place> {
    const place = await placeOn('postgresql', server.url())
    await place.sql(
      `CREATE TABLE ${QUOTED} (id bigint, "Made at" date NOT NULL, PRIMARY KEY (id, "Made at")) PARTITION BY RANGE ("Made at")`,
      ...[-1, 0].map(
        (at) => `CREATE TABLE "p ${at}" PARTITION OF ${QUOTED} FOR VALUES FROM ('${day(at)}') TO ('${day(at + 1)}')`,
      ),
    )
    return place
  }

  /** The UI on a database, with the phases of a table open. */
  async function phasesOf(place: Place, table: string, size: (typeof SIZES)[number]): Promise<PtyApp> {
    const file = `c${Math.random()}.yaml`
    writeFileSync(join(folder, file), stringify({ lifecycle: { [table]: { from: '$THE_URL', ahead: 1 } } }))
    const app = openPty({
      ...size,
      script: BIN,
      args: ['--config', file, place.url],
      cwd: folder,
      env: { THE_URL: place.url },
    })
    open.push(app)
    await app.until(table.slice(0, 12))
    await app.press(['g', '/', table, 'enter'], `filter ${table}`)
    await app.press(['L'], 'due or blocked')
    return app
  }

  // Snapshots cover all three sizes.
  it.each(SIZES.filter((_, at) => ALL || at !== 1))(
    '$columns×$rows: partitions are made after a confirmation, and nothing happens after esc',
    async (size) => {
      const place = await partitioned()
      const app = await phasesOf(place, TABLE, size)
      await app.until('enter shows its plan')
      await app.press(['enter'], 'Start (tab goes there)')
      await app.press(['pageup', 'pageup'], 'would be created')
      await app.press(['esc'], 'enter shows its plan')
      // Enter cancels, too, until the other button is chosen; letters do nothing.
      await app.press(['enter'], 'Start (tab goes there)')
      await app.press(['s', 'S', 'x', 'enter'], 'enter shows its plan')
      expect(await partitions(place)).toBe(2)

      await app.press(['enter'], 'Start (tab goes there)')
      await app.press(['tab'], 'enter starts it')
      await app.press(['enter'], 'ok, exit 0')
      expect(await partitions(place)).toBe(3)
      expect(app.screen()).toContain('[2 Runs]')
      // From the run back to the list of runs, and from there to the tables: the phases are queried again.
      await app.press(['esc'], 'STARTED')
      await app.press(['esc'], 'lifecycle')
      await app.until((screen) => screen.includes('· lifecycle ') && !screen.includes('missing'))
      await app.press(['esc', '2'], '✓ ok        partition-en')
    },
  )

  it('a failed plan is shown, and starts nothing', async () => {
    const place = await partitioned()
    const app = await phasesOf(place, TABLE, { columns: 80, rows: 24 })
    await place.sql(`ALTER TABLE ${QUOTED} RENAME TO gone`)
    await app.press(['enter'], 'nothing was started')
    expect(app.screen()).toContain('NO_SUCH_TABLE')
    await app.press(['tab', 'enter', 'esc'], 'enter shows its plan')
    await app.press(['R'], (screen) => screen.includes('NO_SUCH_TABLE') && !screen.includes('due or blocked'))
    const [[count] = []] = await place.rows("SELECT count(*)::text FROM pg_inherits WHERE inhparent = 'gone'::regclass")
    expect(count).toBe('2')
  })

  describe('a switch', () => {
    let stage: CutoverStage
    const kindOf = async (): Promise<string> => {
      const [[kind] = []] = await stage.place.rows(
        `SELECT relkind::text FROM pg_class WHERE oid = '"${PUBLIC}"'::regclass`,
      )
      return kind ?? ''
    }

    beforeAll(async () => {
      stage = await cutoverStage(server, 400)
      const { place, stream } = stage
      const signed = await perform({
        kind: 'sign-off',
        stream,
        to: place.url,
        from: place.url,
        tables: [],
        by: 'somebody',
      })
      if (signed.finished.exitCode !== 0) throw new Error(JSON.stringify(signed.finished.error))
    })

    it.each(SIZES.slice(0, 2))(
      '$columns×$rows: needs the typed name, and another name starts nothing',
      async (size) => {
        const app = await phasesOf(stage.place, `public.${PUBLIC}`, size)
        await app.until(/›\s+do\s+sluice cutover/)
        await app.press(['enter'], `Type public.${PUBLIC} to continue`)
        await app.press(['enter'], 'enter shows its plan')
        await app.press(['enter'], `Type public.${PUBLIC} to continue`)
        await app.press(['public.book ings', 'tab', 'enter'], '[ Start ]  needs the name')
        expect(app.screen()).toContain('[ Start ]')
        await app.press(['esc'], 'enter shows its plan')
        await app.press(['esc', '2'], '[2 Runs]')
        expect(app.screen()).not.toContain('cutover')
        expect(await kindOf()).toBe('r')
      },
    )

    it('starts with the typed name, and the phases are queried again', async () => {
      const app = await phasesOf(stage.place, `public.${PUBLIC}`, { columns: 120, rows: 40 })
      await app.press(['enter'], `Type public.${PUBLIC} to continue`)
      await app.press([`public.${PUBLIC}`, 'tab'], 'enter starts it')
      await app.press(['enter'], 'ok, exit 0')
      expect(await kindOf()).toBe('p')
      await app.press(['esc'], 'STARTED')
      await app.press(['esc'], /lifecycle[^]*--revert/)
    })
  })
})
