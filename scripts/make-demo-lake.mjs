/**
 * Writes fixtures/lake, the lake of `sluice demo`. With `--check` it writes nothing there, and fails if the committed
 * files differ from those of this script.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { writeDemoLake } from './lake/demo.mjs'
import { withDuck } from './lake/duck.mjs'

const committed = path.join(import.meta.dirname, '../fixtures/lake')

/** All files below a folder, with their bytes. @param {string} folder @returns {Map<string, Buffer>} */
function filesOf(folder) {
  const files = new Map()
  if (!fs.existsSync(folder)) return files
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath ?? entry.path, entry.name)
    files.set(path.relative(folder, file), fs.readFileSync(file))
  }
  return files
}

/** @param {Map<string, Buffer>} have @param {Map<string, Buffer>} made */
function differences(have, made) {
  const list = []
  for (const [name, bytes] of made) {
    const there = have.get(name)
    if (there === undefined) list.push(`missing: ${name}`)
    else if (!there.equals(bytes)) list.push(`differs: ${name}`)
  }
  for (const name of have.keys()) if (!made.has(name)) list.push(`too much: ${name}`)
  return list
}

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-demo-lake-'))
try {
  await withDuck((connection) => writeDemoLake(scratch, connection))
  if (process.argv.includes('--check')) {
    const list = differences(filesOf(committed), filesOf(scratch))
    for (const line of list) process.stderr.write(`fixtures/lake ${line}\n`)
    if (list.length > 0) process.exitCode = 1
  } else {
    fs.rmSync(committed, { recursive: true, force: true })
    fs.cpSync(scratch, committed, { recursive: true, preserveTimestamps: true })
  }
} finally {
  fs.rmSync(scratch, { recursive: true, force: true })
}
