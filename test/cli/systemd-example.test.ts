/** examples/systemd: valid units for systemd, and valid commands. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'

const FOLDER = resolve(import.meta.dirname, '../../examples/systemd')
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
const why = hasSystemd ? '' : ' (skipped: systemd-analyze is not installed)'
const URL_OF_ENV = 'postgresql://app:secret@db/shop'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-systemd-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const textOf = (name: string): string => readFileSync(join(FOLDER, name), 'utf8')

/** The operation of the sluice command in a line. */
async function operationOf(line: string): Promise<unknown> {
  const words = /\bsluice (.*)$/.exec(line)?.[1]?.trim().split(/\s+/) ?? []
  const { request } = await parseCommandLine(words, { DATABASE_URL: URL_OF_ENV })
  return request.kind === 'operation' ? request.operation : request
}

describe('the partition timer', () => {
  test.skipIf(!hasSystemd)(`is valid for systemd, with its service${why}`, () => {
    const units = readdirSync(FOLDER).filter((name) => /\.(?:service|timer)$/.test(name))
    expect(units.toSorted()).toEqual(['sluice-partitions.service', 'sluice-partitions.timer'])
    for (const name of units) copyFileSync(join(FOLDER, name), join(folder, name))
    const { status, stdout, stderr } = spawnSync(
      'systemd-analyze',
      ['verify', ...units.map((name) => join(folder, name))],
      { encoding: 'utf8', cwd: folder },
    )
    // Other units of the machine may have errors of their own.
    const ours = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('sluice-partitions'))
    expect([status, ours]).toEqual([0, []])
  })

  test('runs an existing command, with a URL that the process list does not show', async () => {
    const service = textOf('sluice-partitions.service')
    const [, command = ''] = /^ExecStart=(.*)$/m.exec(service) ?? []
    expect(command).not.toContain('DATABASE_URL')
    expect(service).toMatch(/^EnvironmentFile=\//m)
    expect(await operationOf(command)).toMatchObject({
      kind: 'partition-ensure',
      from: URL_OF_ENV,
      tables: ['bookings'],
      ahead: 2,
      dryRun: false,
    })
  })

  test('has an equivalent crontab line', async () => {
    const [line = ''] = /^\d+ \d+ \* \* \* .*$/m.exec(textOf('README.md')) ?? []
    expect(line).not.toContain('%')
    expect(await operationOf(line)).toMatchObject({ kind: 'partition-ensure', from: URL_OF_ENV, tables: ['bookings'] })
    expect(
      await operationOf('sluice partition ensure --from postgresql://x@y/z --table bookings --ahead 2 --ci'),
    ).toMatchObject({
      kind: 'partition-ensure',
      from: 'postgresql://x@y/z',
    })
  })
})
