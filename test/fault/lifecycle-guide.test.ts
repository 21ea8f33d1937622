/** The guide of the four phases: its statements and commands run as they are printed, one after the other. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { placeOn, type Place } from '../support/copy-systems.ts'
import { startFollowServer } from '../support/follow-stage.ts'
import { POSTGRES_MISSING, POSTGRES_OWN, type PostgresServer } from '../support/servers/postgresql.ts'

const ROOT = join(import.meta.dirname, '../..')
const GUIDE = join(ROOT, 'docs/guides/partition-lifecycle.md')
const run = promisify(execFile)

let server: PostgresServer
let place: Place
const folder = mkdtempSync(join(tmpdir(), 'sluice-guide-'))

beforeAll(async () => {
  if (!POSTGRES_OWN) return
  server = await startFollowServer()
  place = await placeOn('postgresql', server.url())
})

afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

type Ran = { readonly line: string; readonly out: string; readonly exit: number }

/** @param env DB, and STREAM as soon as there is one */
async function command(line: string, env: Readonly<Record<string, string>>): Promise<Ran> {
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

describe.skipIf(!POSTGRES_OWN)(`the guide of the four phases ${POSTGRES_MISSING}`, () => {
  test('runs as it is printed', { timeout: 600_000 }, async () => {
    const env: Record<string, string> = { DB: place.url }
    const ran: Ran[] = []
    for (const [, kind = '', block = ''] of readFileSync(GUIDE, 'utf8').matchAll(/^```(bash|sql)\n(.*?)^```/gms)) {
      if (kind === 'sql') {
        await place.sql(block)
        continue
      }
      for (const line of block.split('\n').filter((one) => one.startsWith('sluice '))) {
        const one = await command(line, env)
        ran.push(one)
        // The first stream is named when it begins, a later one by the cut-over that made it.
        const named =
          /slot and publication sluice_(\d+) are made/.exec(one.out) ?? /way back stream (\d+)/.exec(one.out)
        if (named?.[1] !== undefined) env['STREAM'] = named[1]
        // A status with something due says so by its exit code.
        const fine = line.startsWith('sluice lifecycle status') ? [0, 1] : [0]
        expect(fine, `${line}\n${one.out}`).toContain(one.exit)
      }
    }
    expect(ran.length).toBeGreaterThan(18)
    const outOf = (part: string): string => ran.findLast(({ line }) => line.includes(part))?.out ?? ''
    expect(outOf('partition run')).toMatch(/proved +amenity_bookings_q2_fy25 +Q2-FY25: [\d,]+ rows/)
    expect(outOf('--partition amenity_bookings_q2_fy25 --report')).toMatch(/sign-off given|signed/i)
    // The view goes with the name, and both tables hold the same.
    expect(await place.rows("SELECT count(*) FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid WHERE r.ev_class = 'open_bookings'::regclass AND d.refobjid = 'amenity_bookings'::regclass")).not.toEqual([['0']]) // prettier-ignore
    expect(await place.rows('SELECT count(*) - count(DISTINCT id) FROM amenity_bookings')).toEqual([['0']])
    const archived = /^ *count_star\(\)\D*([\d,]+)|([\d,]{4,})/m.exec(outOf('sluice query'))
    expect(archived).not.toBeNull()
    const [[left] = []] = await place.rows('SELECT count(*) FROM amenity_bookings_before_cutover')
    expect(outOf('sluice query').replaceAll(',', '')).toContain(String(left))
  })
})
