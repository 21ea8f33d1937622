import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { makeSpool } from '../../src/shared/spool.ts'

test('spool folders of ended programs are removed; those of running or unknown programs are kept', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-spools-'))
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const ours = path
    .basename(await makeSpool(root))
    .replace(`${process.pid}-`, '@')
    .split('@')[0]
  const [host] = /^sluice-archive-[0-9a-f]{8}-/.exec(ours ?? '') ?? []
  const [other, forgotten, old] = [`${host}00000000-${dead}-c`, `${host}00000000-${dead}-f`, `${host}${dead}-o`]
  const kept = [`${ours}${process.pid}-a`, `sluice-archive-00000000-${dead}-c`, 'sluice-archive-x', 'other']
  // A folder of another container of this name, whose program may run, unless it was not touched for long.
  if (process.platform === 'linux') kept.push(other)
  for (const name of [...kept, `${ours}${dead}-b`, old, forgotten]) {
    fs.mkdirSync(path.join(root, name))
    fs.writeFileSync(path.join(root, name, 'file'), 'x')
  }
  const long = new Date(Date.now() - 30 * 86_400_000)
  fs.utimesSync(path.join(root, forgotten), long, long)
  await makeSpool(root)
  const there = fs.readdirSync(root)
  expect(there).toEqual(expect.arrayContaining(kept))
  expect(there).toHaveLength(kept.length + 2)
  for (const gone of [`${ours}${dead}-b`, old, forgotten]) expect(there).not.toContain(gone)
  fs.rmSync(root, { recursive: true })
})
