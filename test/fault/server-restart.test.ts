/**
 * The real program while its database server is stopped, stays down for a while and restarts: it waits, continues, and
 * prints no password.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Event } from '../../src/model/run/event.ts'
import { temporaryFolder, type Folder } from '../support/catalog-kit.ts'
import { cleanEnv } from '../e2e/support/program.ts'
import {
  dumpAt,
  expectNoSecret,
  expectWholeVersions,
  SYSTEMS,
  titleOf,
  writeHistory,
  type FaultServer,
} from './server-kit.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const AWAY_MS = 800

let folder: Folder
let lake: string
let bin: string

beforeAll(() => {
  folder = temporaryFolder()
  lake = join(folder.path, 'lake')
  writeHistory(join(lake, 'orders'), 16, 20)
  writeHistory(join(lake, 'events'), 12, 20)
  // A copy of the program, so that a build does not change it while it runs.
  const copy = join(folder.path, 'program')
  cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(copy, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  bin = join(copy, 'dist/cli/bin.js')
})
afterAll(() => folder[Symbol.dispose]())

type Ran = { readonly code: number | null; readonly out: string; readonly err: string; readonly seen: string }

/** @param onProgress called once, after the first batch of any table */
async function batchImport(url: string, logFile: string, onProgress: () => Promise<void>): Promise<Ran> {
  const words = ['batch-import', lake, '--batch-size', '20', '--json', '--log-file', logFile]
  const child = spawn(process.execPath, [bin, ...words], {
    cwd: folder.path,
    env: { ...cleanEnv(), SLUICE_DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { out: '', err: '' }
  let seen = ''
  const begun: Promise<void>[] = []
  child.stderr.on('data', (data: Buffer) => (said.err += data.toString()))
  child.stdout.on('data', (data: Buffer) => {
    said.out += data.toString()
    if (begun.length > 0 || !said.out.includes('"chunk.progress"')) return
    seen = spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(child.pid)], { encoding: 'utf8' }).stdout
    begun.push(onProgress())
  })
  await once(child, 'close')
  await Promise.all(begun)
  return { code: child.exitCode, ...said, seen }
}

function eventsOf({ out }: Ran): readonly Event[] {
  const lines = out.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Event)
}

for (const system of SYSTEMS) {
  describe.skipIf(system.missing !== '')(titleOf('batch-import', system), () => {
    let server: FaultServer
    let expected: string

    beforeAll(async () => {
      server = await system.start()
      const clean = await server.room('clean')
      const { code, err } = await batchImport(clean, join(folder.path, 'clean.log'), async () => undefined)
      if (code !== 0) throw new Error(err)
      expected = await dumpAt(clean)
    })
    afterAll(async () => {
      await server?.[Symbol.asyncDispose]()
    })

    async function expectQuiet(ran: Ran, logFile: string, url: string): Promise<void> {
      expect(existsSync(logFile)).toBe(true)
      expect(ran.seen).toContain('batch-import')
      await expectNoSecret(server, [ran.out, ran.err, ran.seen, readFileSync(logFile, 'utf8')], url)
    }

    test('continues after its server was stopped for a while and restarted', { timeout: 120_000 }, async () => {
      const url = await server.room('restarted')
      const logFile = join(folder.path, `${system.title}-restarted.log`)
      const ran = await batchImport(url, logFile, async () => {
        await server.shutDown()
        await sleep(AWAY_MS)
        await server.restart()
      })
      expect(ran).toMatchObject({ code: 0, err: expect.not.stringContaining('bug') as string })
      const last = eventsOf(ran).at(-1)
      expect(last).toMatchObject({ type: 'run.finished', status: 'ok' })
      expect((last as { readonly ms?: number }).ms).toBeGreaterThan(AWAY_MS)
      await expectWholeVersions(url)
      expect(await dumpAt(url)).toBe(expected)
      await expectQuiet(ran, logFile, url)
    })

    test('reports a server that stays down by name, and the same command resumes', { timeout: 120_000 }, async () => {
      const url = await server.room('stays_away')
      const hasty = new URL(url)
      hasty.searchParams.set('retry_seconds', '1')
      const logFile = join(folder.path, `${system.title}-away.log`)
      const ran = await batchImport(hasty.href, logFile, () => server.kill9())
      expect(ran.code).toBeGreaterThan(0)
      expect(eventsOf(ran).at(-1)).toMatchObject({ type: 'run.finished', status: 'failed' })
      await server.restart()
      await expectQuiet(ran, logFile, url)
      const again = await batchImport(url, logFile, async () => undefined)
      expect(again.code, `${again.out}${again.err}`).toBe(0)
      expect(await dumpAt(url)).toBe(expected)
    })
  })
}
