import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { makeSpool } from '../../src/engine/archiving/spool.ts'

test('what killed programs have spooled is removed; what belongs to living ones, or to nobody, stays', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-spools-'))
  const dead = spawnSync(process.execPath, ['-e', '']).pid
  const kept = [`sluice-archive-${process.pid}-a`, 'sluice-archive-x', 'other']
  for (const name of [...kept, `sluice-archive-${dead}-b`]) {
    fs.mkdirSync(path.join(root, name))
    fs.writeFileSync(path.join(root, name, 'file'), 'x')
  }
  const made = await makeSpool(root)
  expect(fs.readdirSync(root).toSorted()).toEqual([...kept, path.basename(made)].toSorted())
  fs.rmSync(root, { recursive: true })
})
