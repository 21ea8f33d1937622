/**
 * The pairs of set-back.test.ts with an archive in a bucket: a versioned bucket restores its log or its files, and
 * nothing else.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Operation } from '../../src/app/operations/list.ts'
import { commandsOf, makeBookings, TABLE } from '../support/archive-places.ts'
import { makePlace } from '../support/copy-systems.ts'
import { S3_AVAILABLE, startS3 } from '../support/servers/s3.ts'
import { conditionalS3 } from './archive-log-s3-kit.ts'
import { codeOf, fileSide, folderSide, tried, written, type Side } from './set-back-kit.ts'

const OBJECT = '._S3rver_object'

let folder = ''
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-set-back-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test.skipIf(!S3_AVAILABLE)('bucket: ledger with its source, log, files', { timeout: 900_000 }, async () => {
  await using s3 = await startS3()
  await using proxy = await conditionalS3(s3)
  const outer = Object.keys(proxy.env).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, proxy.env)
  try {
    const made = await makeBookings(await makePlace('sqlite', folder), 'plain', s3.url('archives'), 12)
    const { run, drop, restore, sweep, verify } = commandsOf(made)
    const { place } = made
    const adopt: Operation = { kind: 'archive-adopt', from: place.url, table: TABLE, confirm: TABLE, accept: [], dryRun: false } // prettier-ignore
    const all = await place.rows(`SELECT * FROM ${TABLE} ORDER BY id`)
    const sweeping = { ...sweep, retentionMs: 0 } as Operation
    const root = s3.folderOf(`archives/${TABLE}`)
    const isLog = (path: string): boolean => path.startsWith('_delta_log')
    const inBucket = (name: string, isIn: (path: string) => boolean): Side => {
      const side = folderSide(name, root, isIn)
      return {
        ...side,
        setBack: (step) => {
          side.setBack(step)
          proxy.there.clear()
          const names = existsSync(root) ? readdirSync(root, { recursive: true }).map(String) : []
          for (const one of names) {
            if (one.endsWith(OBJECT)) proxy.there.add(`archives/${TABLE}/${one.slice(0, -OBJECT.length)}`)
          }
        },
      }
    }
    const lines = await tried({
      about: 'bucket',
      sides: [fileSide('ledger and source', place), inBucket('log', isLog), inBucket('files', (path) => !isLog(path))],
      steps: [
        { name: 'run', operation: run },
        { name: 'drop', operation: drop },
        { name: 'restore', operation: restore },
        { name: 'sweep', operation: sweeping },
        { name: 'run again', operation: { ...run, partitions: ['2020-Q1', '2020-Q2'] } as Operation },
        { name: 'drop again', operation: drop },
      ],
      settle: async () => {
        const refused: string[] = []
        // Commands that may destroy data run first.
        for (const one of [sweeping, restore, adopt, sweeping, restore]) {
          if (one === adopt && refused.length === 0) continue
          for (const code of await codeOf(one)) if (!refused.includes(code)) refused.push(code)
        }
        // Files were swept after a restore that the ledger does not have: the way out that the refusal names.
        if (!refused.includes('PROOF_FAILED')) return refused
        const accepting = { ...adopt, accept: ['2020-Q1', '2020-Q2'] } as Operation
        return [...refused, 'then --accept-difference', ...(await codeOf(accepting)), ...(await codeOf(verify))]
      },
      isWhole: async () =>
        JSON.stringify(await place.rows(`SELECT * FROM ${TABLE} ORDER BY id`)) === JSON.stringify(all),
    })
    expect(lines).toEqual(written('bucket'))
  } finally {
    for (const [name, value] of outer) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
})
