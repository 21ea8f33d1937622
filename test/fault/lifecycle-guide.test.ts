/**
 * The guides of the four phases, in one database and into another one: their statements and commands are executed as
 * printed, one after the other.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { placeOn, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

const ROOT = join(import.meta.dirname, '../..')
const GUIDES = join(ROOT, 'docs/guides')
const run = promisify(execFile)

let server: PostgresServer
const folders: string[] = []

beforeAll(async () => {
  if (POSTGRES_OWN) server = await startFollowServer()
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

type Ran = { readonly line: string; readonly out: string; readonly exit: number }

async function command(folder: string, line: string, env: Readonly<Record<string, string>>): Promise<Ran> {
  const typed = line.replace(/^sluice /, `"${process.execPath}" "${join(ROOT, 'dist/cli/bin.js')}" `)
  const around = { ...process.env, ...env, CI: 'true', SLUICE_HISTORY: 'off' }
  try {
    const { stdout, stderr } = await run('bash', ['-c', typed], { cwd: folder, env: around })
    return { line, out: stdout + stderr, exit: 0 }
  } catch (error) {
    const { code, stdout, stderr } = error as {
      readonly code: number
      readonly stdout: string
      readonly stderr: string
    }
    return { line, out: stdout + stderr, exit: code }
  }
}

/**
 * Runs everything in a guide, as printed.
 * @param place where its SQL is executed @param env its environment variables, except STREAM
 * @param before called before each line
 */
async function walked(
  guide: string,
  place: Place,
  env: Record<string, string>,
  before: (line: string) => Promise<unknown> = async () => undefined,
): Promise<readonly Ran[]> {
  const ran: Ran[] = []
  const folder = mkdtempSync(join(tmpdir(), 'sluice-guide-'))
  folders.push(folder)
  const text = readFileSync(join(GUIDES, guide), 'utf8')
  for (const [, kind = '', block = ''] of text.matchAll(/^```(bash|sql|yaml)\n(.*?)^```/gms)) {
    if (kind === 'sql') await place.sql(block)
    if (kind === 'yaml') writeFileSync(join(folder, 'sluice.yaml'), block)
    if (kind !== 'bash') continue
    for (const line of block.split('\n').filter((one) => one.startsWith('sluice '))) {
      await before(line)
      const one = await command(folder, line, env)
      ran.push(one)
      // The output names the first stream when it begins, and a later one at the cutover that created it.
      const named =
        /slot and publication sluice_(\d+) are created/.exec(one.out) ?? /reverse +stream (\d+)/.exec(one.out)
      if (named?.[1] !== undefined) env['STREAM'] = named[1]
      // The exit code of `lifecycle status` shows that something is due.
      const fine = line.startsWith('sluice lifecycle status') ? [0, 1] : [0]
      expect(fine, `${line}\n${one.out}`).toContain(one.exit)
    }
  }
  return ran
}

describe.skipIf(!POSTGRES_OWN)(`the guide of the four phases ${POSTGRES_MISSING}`, () => {
  test('works as it is printed', { timeout: 600_000 }, async () => {
    const place = await placeOn('postgresql', server.url())
    const ran = await walked('partition-lifecycle.md', place, { DB: place.url })
    expect(ran.length).toBeGreaterThan(18)
    const outOf = (part: string): string => ran.findLast(({ line }) => line.includes(part))?.out ?? ''
    expect(outOf('partition run')).toMatch(/proved +amenity_bookings_q2_fy25 +Q2-FY25: [\d,]+ rows/)
    expect(outOf('--partition amenity_bookings_q2_fy25 --report')).toMatch(/sign-off given|signed/i)
    // The view uses the table under its new name, and both tables have the same rows.
    expect(await place.rows("SELECT count(*) FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid WHERE r.ev_class = 'open_bookings'::regclass AND d.refobjid = 'amenity_bookings'::regclass")).not.toEqual([['0']]) // prettier-ignore
    expect(await place.rows('SELECT count(*) - count(DISTINCT id) FROM amenity_bookings')).toEqual([['0']])
    const archived = /^ *count_star\(\)\D*([\d,]+)|([\d,]{4,})/m.exec(outOf('sluice query'))
    expect(archived).not.toBeNull()
    const [[left] = []] = await place.rows('SELECT count(*) FROM amenity_bookings_before_cutover')
    expect(outOf('sluice query').replaceAll(',', '')).toContain(String(left))
  })

  test('works with two databases, and the status finds the table', { timeout: 600_000 }, async () => {
    const [old, fresh] = [await placeOn('postgresql', server.url()), await placeOn('postgresql', server.url())]
    const name = new URL(old.url).pathname.slice(1)
    const env = { OLD: old.url, NEW: fresh.url, OLD_NAME: name }
    const ran = await walked('two-databases.md', old, env, async (line) => {
      // Simulates that a week has passed.
      if (line.includes('--confirm="$OLD_NAME"'))
        await fresh.sql('UPDATE migration_database_decommissions SET done_ms = done_ms - 8 * 86400000::bigint')
    })
    const phases = ran
      .filter(({ line }) => line.startsWith('sluice lifecycle status'))
      .map(({ out, exit }) => [
        exit,
        ...[...out.matchAll(/^ {2}(\S+(?: \S+)*?) {2,}I[IV]* /gm)].map(([, state]) => state),
      ])
    expect(phases).toEqual([
      [0, 'not begun', 'not begun', 'not begun', 'not begun'],
      [0, 'done', 'due', 'not begun', 'not begun'],
      // The reverse stream reads from the table, so it cannot be archived.
      [0, 'done', 'due', 'done', 'blocked'],
      // After the revert.
      [0, 'due', 'due', 'not begun', 'not begun'],
      [0, 'done', 'due', 'done', 'due'],
      [0, 'done', 'running', 'done', 'due'],
      [0, 'done', 'done', 'done', 'due'],
      [0, 'done', 'done', 'done', 'done'],
      [0, 'done', 'done', 'done', 'done'],
    ])
    const [begun, signed] = ran.filter(({ line }) => line.startsWith('sluice lifecycle status')).map(({ out }) => out)
    expect(begun).toContain('no partitions yet')
    expect(signed).not.toContain('no partitions yet')
    expect(signed).toMatch(/III .*public\.amenity_bookings of postgresql:\S+ has \d+ partitions, there up to /)
    const outs = ran.map(({ out }) => out)
    expect(outs.findLast((out) => out.includes('archive run'))).toContain('--from "$NEW"')
    expect(outs.filter((out) => /was dropped/.test(out)).length).toBeGreaterThan(2)
    expect(outs.join('')).not.toContain('_partitioned')
    expect(await fresh.rows('SELECT count(*) - count(DISTINCT id) FROM amenity_bookings')).toEqual([['0']])
    expect(ran.find(({ line }) => line.startsWith('sluice query'))?.out).toContain('3300')
  })
})
