import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { loadedBy, type Loaded } from './loaded-scripts.ts'
import { ROOT } from './source-files.ts'

const UI = ['ink', 'react', 'react-reconciler', '@inkjs/ui']
const SQLITE = ['better-sqlite3', 'bindings']
const DUCKDB = ['@duckdb/node-api', '@duckdb/node-bindings']
const AWS = ['@aws-sdk/credential-providers', '@aws-sdk/core', '@smithy/core', 'aws4fetch']
const NETWORK = ['pg', 'mysql2', 'cassandra-driver']

/** Fails with a clear message, not with a stack trace, if the program is not compiled. */
function compiled(name: string): string {
  const file = path.join(ROOT, name)
  expect(fs.existsSync(file), `${name} is missing: src/ has no such module, or it was not compiled`).toBe(true)
  return file
}

function among(loaded: Loaded, names: readonly string[]): string[] {
  return names.filter((name) => loaded.packages.has(name))
}

test('a loaded driver is detected, from ESM, from CommonJS and from a thread', () => {
  expect(among(loadedBy(['-e', "require('better-sqlite3')"]), SQLITE)).toContain('better-sqlite3')
  const esm = ['--input-type=module', '-e', "await import('@duckdb/node-api'); await import('ink')"]
  expect(among(loadedBy(esm), [...UI, ...DUCKDB])).toEqual(expect.arrayContaining(['ink', 'react', '@duckdb/node-api']))
  const thread = ['-e', `new (require('node:worker_threads').Worker)("require('better-sqlite3')", { eval: true })`]
  expect(among(loadedBy(thread), SQLITE)).toContain('better-sqlite3')
})

test('importing the app loads no UI and no driver', () => {
  const loaded = loadedBy([
    '--input-type=module',
    '-e',
    `await import(${JSON.stringify(compiled('build/app/index.js'))})`,
  ])
  expect(loaded.stderr).toBe('')
  expect(loaded.status).toBe(0)
  expect(loaded.modules).toContain('app/index.js')
  expect(among(loaded, [...UI, ...SQLITE, ...DUCKDB, ...NETWORK, ...AWS])).toEqual([])
})

test('--help loads no UI and no driver', () => {
  const loaded = loadedBy([compiled('dist/cli/bin.js'), '--help'])
  expect(loaded.status, loaded.stderr).toBe(0)
  expect(loaded.modules).toContain('cli/bin.js')
  expect(among(loaded, [...UI, ...SQLITE, ...DUCKDB, ...NETWORK, ...AWS])).toEqual([])
})

test('discover on a folder loads no UI, no network driver and no SQLite', () => {
  const loaded = loadedBy([compiled('dist/cli/bin.js'), 'discover', 'fixtures/lake', '--recursive'])
  expect(loaded.status, loaded.stderr).toBe(0)
  expect(loaded.stdout).toContain('orders')
  expect(among(loaded, [...UI, ...SQLITE, ...NETWORK, ...AWS])).toEqual([])
})

test('discover loads no DuckDB if commits or checksums have the counts', () => {
  const loaded = loadedBy([compiled('dist/cli/bin.js'), 'discover', 'fixtures/lake/crm/customers'])
  expect(loaded.status, loaded.stderr).toBe(0)
  expect(among(loaded, DUCKDB)).toEqual([])
})

test('a copy without a file of settings loads no YAML', () => {
  const words = ['copy', '--from', 'sqlite:///none.db', '--to', 'sqlite:///none.db', '--table', 't']
  const loaded = loadedBy([compiled('dist/cli/bin.js'), ...words])
  expect(loaded.status, loaded.stderr).not.toBe(0)
  expect(among(loaded, ['yaml', ...NETWORK, ...DUCKDB])).toEqual([])
})

test('with keys in the environment, the library that searches for keys is not loaded', () => {
  // No server listens on this port: the keys are determined before the first request.
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://127.0.0.1:1')
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'a')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'b')
  const words = ['doctor', 's3://lake/']
  const own = loadedBy([compiled('dist/cli/bin.js'), ...words])
  expect(among(own, AWS)).toEqual([])
  vi.stubEnv('AWS_ACCESS_KEY_ID', '')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', '')
  vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', 'http://127.0.0.1:1')
  const looking = loadedBy([compiled('dist/cli/bin.js'), ...words])
  vi.unstubAllEnvs()
  expect(among(looking, AWS)).toContain('@aws-sdk/credential-providers')
})

test('the libraries for metrics and traces are loaded on request only', () => {
  const telling = [
    'prom-client',
    '@opentelemetry/api',
    '@opentelemetry/sdk-trace',
    '@opentelemetry/exporter-trace-otlp-http',
  ]
  const folder = fs.mkdtempSync(path.join(tmpdir(), 'sluice-loads-'))
  const words = [compiled('dist/cli/bin.js'), 'import', 'fixtures/lake/crm/customers', '--database-url']
  try {
    const silent = loadedBy([...words, `sqlite:///${path.join(folder, 'silent.db')}`])
    expect(silent.status, silent.stderr).toBe(0)
    expect(among(silent, telling)).toEqual([])
    const reported = loadedBy([...words, `sqlite:///${path.join(folder, 'told.db')}`, '--metrics', '0'])
    expect(reported.status, reported.stderr).toBe(0)
    // prom-client loads the OpenTelemetry API for exemplars, but nothing that sends spans.
    expect(among(reported, telling)).toEqual(['prom-client', '@opentelemetry/api'])
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
