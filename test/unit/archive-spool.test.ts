import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { makeSpool } from '../../src/engine/archiving/spool.ts'

test('what killed programs have spooled is removed; what belongs to living ones, or to nobody, stays', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-spools-'))
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const ours = path
    .basename(await makeSpool(root))
    .replace(`${process.pid}-`, '@')
    .split('@')[0]
  const kept = [`${ours}${process.pid}-a`, `sluice-archive-00000000-${dead}-c`, 'sluice-archive-x', 'other']
  for (const name of [...kept, `${ours}${dead}-b`]) {
    fs.mkdirSync(path.join(root, name))
    fs.writeFileSync(path.join(root, name, 'file'), 'x')
  }
  await makeSpool(root)
  const there = fs.readdirSync(root)
  expect(there).toEqual(expect.arrayContaining(kept))
  expect(there).toHaveLength(kept.length + 2)
  expect(there).not.toContain(`${ours}${dead}-b`)
  fs.rmSync(root, { recursive: true })
})
