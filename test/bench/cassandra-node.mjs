/** The Cassandra node of the tests, for benchmarks: its TypeScript files are compiled here. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { ROOT, scratchFolder } from './lakes.mjs'

/**
 * @returns {Promise<{url: (keyspace?: string) => string, cql: (...statements: string[]) => Promise<void>, stop: () =>
 * Promise<void>} | null>} null if none is available
 */
export async function cassandra() {
  const folder = path.join(ROOT, 'test/support/servers')
  const emitted = scratchFolder('node')
  const flags =
    '--noCheck --ignoreConfig --module nodenext --target es2022 --allowImportingTsExtensions --rewriteRelativeImportExtensions'
  const compiler = path.join(ROOT, 'node_modules/.bin/tsc')
  spawnSync(compiler, [...flags.split(' '), '--rootDir', ROOT, '--outDir', emitted, path.join(folder, 'cassandra.ts')])
  // Next to the sources, so that packages and paths resolve in the same way.
  const made = ['cassandra', 'cassandra-node'].map((name) => {
    const text = fs.readFileSync(path.join(emitted, 'test/support/servers', `${name}.js`), 'utf8')
    const file = path.join(folder, `.bench-${process.pid}-${name}.mjs`)
    const own = text.replaceAll(/(['"])\.\/cassandra-node\.js\1/g, `'./.bench-${process.pid}-cassandra-node.mjs'`)
    fs.writeFileSync(file, own.replaceAll('../../../src/', '../../../build/'))
    return file
  })
  fs.rmSync(emitted, { recursive: true, force: true })
  try {
    const { CASSANDRA_AVAILABLE, startCassandra } = await import(pathToFileURL(made[0] ?? '').href)
    return CASSANDRA_AVAILABLE ? await startCassandra({ heapMb: 768, commitlog: 'periodic' }) : null
  } finally {
    for (const file of made) fs.rmSync(file, { force: true })
  }
}
