import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commandLine } from '../../src/cli/parse/command-line.ts'
import { usedKeys } from '../../src/cli/cdm/known-keys.ts'
import { parseProperties } from '../../src/cli/cdm/properties-file.ts'
import { fromSparkSubmit } from '../../src/cli/cdm/submit.ts'
import { parseCommandLine } from '../../src/cli/parse/parse.ts'
import { secretsOf } from '../../src/cli/session.ts'
import type { CopyOperation } from '../../src/engine/copy/operations/copy/declaration.ts'
import type { DiffOperation } from '../../src/engine/copy/operations/diff/declaration.ts'

const CLASS = 'com.datastax.cdm.job'
const folder = mkdtempSync(join(tmpdir(), 'sluice-cdm-'))
const SMOKE = join(import.meta.dirname, '../../../shared/datasets/cdm-sit/smoke')

function file(text: string): string {
  const path = join(folder, `${Math.abs(hash(text))}.properties`)
  writeFileSync(path, text)
  return path
}

function hash(text: string): number {
  let value = 7
  for (const character of text) value = (value * 31 + character.charCodeAt(0)) | 0
  return value
}

async function copyOf(...words: string[]): Promise<CopyOperation> {
  const { request } = await parseCommandLine(words, {})
  if (request.kind !== 'operation' || request.operation.kind !== 'copy') throw new Error('no copy')
  return request.operation
}

async function notesOf(...words: string[]): Promise<readonly string[]> {
  const { request } = await parseCommandLine(words, {})
  return request.kind === 'operation' ? (request.reported?.notes ?? []) : []
}

const BASIC = `
# of a guide
spark.cdm.connect.origin.host        c1,c2:9142
spark.cdm.connect.origin.port        9043
spark.cdm.connect.origin.username    reader
spark.cdm.connect.origin.password    s3cr\\=t:x/y@z
spark.cdm.connect.origin.localDC     dc1
spark.cdm.connect.target.host=c3
spark.cdm.schema.origin.keyspaceTable : shop.customer
spark.cdm.schema.target.keyspaceTable   store.client
spark.cdm.schema.origin.column.names.to.target  a:b,c:d
spark.cdm.perfops.numParts           64
spark.cdm.perfops.batchSize          5
spark.cdm.perfops.ratelimit.origin   20000
spark.cdm.perfops.ratelimit.target   5000
spark.cdm.perfops.consistency.read   local_one
spark.cdm.perfops.fetchSizeInRows    500
spark.cdm.filter.cassandra.partition.min -9223372036854775808
spark.cdm.filter.cassandra.partition.max 9223372036854775807
spark.cdm.filter.java.token.percent  100
spark.cdm.trackRun                   true
spark.cdm.trackRun.previousRunId     0
spark.cdm.feature.constantColumns.names  k1,k2
spark.cdm.feature.constantColumns.values 'O''Brien',12
spark.cdm.transform.custom.ttl       3600
`

describe('properties files', () => {
  it('are parsed as Java parses them', () => {
    const text = [
      '! c',
      'a=1',
      'b : 2',
      'c   3',
      'd\\ e = f',
      'g\\:h=\\u0041\\tx',
      'i = one, \\',
      '    two',
      'j',
      'k=v\\\\',
    ].join('\r\n')
    expect(parseProperties(text, 'f').map(({ key, value, where }) => [key, value, where])).toEqual([
      ['a', '1', 'f:2'],
      ['b', '2', 'f:3'],
      ['c', '3', 'f:4'],
      ['d e', 'f', 'f:5'],
      ['g:h', 'A\tx', 'f:6'],
      ['i', 'one, two', 'f:7'],
      ['j', '', 'f:9'],
      ['k', 'v\\', 'f:10'],
    ])
    expect(() => parseProperties('a=\\u12', 'f')).toThrow(/four hexadecimal digits/)
  })

  it('set source, target and options', async () => {
    const operation = await copyOf('copy', '--properties', file(BASIC))
    expect(operation).toMatchObject({
      from: 'cassandra://reader:s3cr%3Dt%3Ax%2Fy%40z@c1:9043,c2:9142/shop?dc=dc1',
      to: 'cassandra://cassandra:cassandra@c3:9042/store',
      tables: ['shop.customer'],
      toSchema: 'store',
      toTable: 'client',
      rename: { a: 'b', c: 'd' },
      rate: 5000,
      onExisting: 'upsert',
      ring: { splits: 64, min: '-9223372036854775808', max: '9223372036854775807' },
      cassandra: { readConsistency: 'LOCAL_ONE', batchRows: 5, pageRows: 500, ttl: 3600 },
      constants: { k1: "O'Brien", k2: '12' },
      track: {},
      cdmLines: true,
    })
  })

  it('are overridden by --conf, and both by flags', async () => {
    const operation = await copyOf(
      'copy',
      '--properties',
      file(BASIC),
      '--conf',
      'spark.cdm.perfops.numParts=8',
      '--conf=spark.cdm.prevRunId=17',
      '--partition-min',
      '-9223372036854775808',
      '--partition-max=-9223372036854775800',
      '--rate',
      '7',
    )
    expect(operation.ring).toEqual({ splits: 8, min: '-9223372036854775808', max: '-9223372036854775800' })
    expect(operation.track).toEqual({ previous: '17' })
    expect(operation.rate).toBe(7)
  })

  it('have a note for unknown names, with the likely name', async () => {
    const path = file(
      `${BASIC}spark.cdm.perfops.rateLimit.origin=5\nspark.cdm.track.run=true\nspark.executor.memory=6G\nspark.cdm.perfops.errorLimit 3\n`,
    )
    expect(await notesOf('copy', '--properties', path)).toEqual([
      expect.stringMatching(
        /^unknown property spark\.cdm\.perfops\.rateLimit\.origin \(.*:\d+\) is not applied: spark\.cdm\.perfops\.ratelimit\.origin was probably meant$/,
      ),
      expect.stringMatching(/^unknown property spark\.cdm\.track\.run .*: spark\.cdm\.trackRun was probably meant$/),
      'these properties have no effect here: spark.executor.memory, spark.cdm.perfops.errorLimit',
    ])
  })

  it.each([
    ['spark.cdm.connect.origin.scb file:///x.zip', /origin\.scb is not supported/],
    ['spark.cdm.feature.extractJson.originColumn c', /extractJson\.originColumn is not supported/],
    ['spark.cdm.filter.java.writetime.min 5', /writetime\.min is not supported/],
    ['spark.cdm.perfops.numParts many', /numParts must be a whole number/],
    ['spark.cdm.trackRun maybe', /trackRun takes true or false/],
    ['spark.cdm.feature.constantColumns.values 1', /has 1 values for 2 names/],
    ['spark.cdm.schema.origin.column.ttl.automatic false', /ttl\.automatic is false, but/],
    [
      'spark.cdm.connect.origin.tls.enabled true\nspark.cdm.connect.origin.tls.trustStore.path /x/trust.jks',
      /Java key store/,
    ],
  ])('are refused with the property in the message: %s', async (line, message) => {
    await expect(copyOf('copy', '--properties', file(`${BASIC}${line}\n`))).rejects.toThrow(message)
  })

  it('select the SQL of YugabyteDB', async () => {
    const text = `spark.cdm.connect.origin.host h
spark.cdm.connect.target.yugabyte.host=y1
spark.cdm.connect.target.yugabyte.database=db
spark.cdm.connect.target.yugabyte.password=top/secret
spark.cdm.schema.origin.keyspaceTable=ks.customer
spark.cdm.connect.target.yugabyte.pool.maxSize=20
`
    const words = ['--class', `${CLASS}.YugabyteMigrate`, '--properties-file', file(text)]
    const operation = await copyOf(...words, '--master', 'local[*]', '--driver-memory', '25G', 'cdm-5.5.2.jar')
    expect(operation).toMatchObject({
      from: 'cassandra://cassandra:cassandra@h:9042/ks',
      to: 'postgresql://yugabyte:top%2Fsecret@y1:5433/db',
      toSchema: 'ks',
      toTable: 'customer',
    })
    expect(await notesOf(...words, '--master', 'local[*]', 'cdm-5.5.2.jar')).toEqual([
      'these properties have no effect here: spark.cdm.connect.target.yugabyte.pool.maxSize',
      'options of Spark, without effect here: --master, cdm-5.5.2.jar',
    ])
  })

  const cases = '01_basic_kvp 02_autocorrect_kvp 03_ttl_writetime 04_counters'.split(' ')
  it.skipIf(!existsSync(SMOKE)).each(cases)('of the smoke case %s load', async (name) => {
    const operation = await copyOf('copy', '--properties', join(SMOKE, name, 'migrate.properties'))
    const table = `smoke_${name.slice(3)}`
    expect(operation).toMatchObject({
      from: 'cassandra://cassandra:cassandra@cdm-sit-cass:9042/origin',
      to: 'cassandra://cassandra:cassandra@cdm-sit-cass:9042/target',
      tables: [`origin.${table}`],
      toSchema: 'target',
      toTable: table,
      ring: { splits: 1 },
    })
  })
})

describe('spark-submit', () => {
  it('is translated to a command by its class', async () => {
    const words = ['--properties-file', 'f', '--conf', 'a=b', '--class', `${CLASS}.Migrate`, 'x.jar']
    expect(fromSparkSubmit(words)).toEqual(['copy', ...words.slice(0, -1), '--spark-word', 'x.jar'])
    expect(fromSparkSubmit(['copy', '--table', 'a', 'b.jar'])).toEqual(['copy', '--table', 'a', 'b.jar'])
    const { request } = await parseCommandLine(
      ['--class', `${CLASS}.DiffData`, '--properties-file', file(BASIC), 'x.jar'],
      {},
    )
    expect(request.kind === 'operation' && (request.operation as DiffOperation)).toMatchObject({
      kind: 'diff',
      tables: ['shop.customer'],
    })
  })

  it('is refused if no command matches the class', async () => {
    await expect(copyOf('--class', `${CLASS}.GuardrailCheck`)).rejects.toThrow(/sluice has no command for/)
    await expect(copyOf('--class', `${CLASS}.Nothing`)).rejects.toThrow(/is not a program/)
    await expect(copyOf('copy', '--class', `${CLASS}.DiffData`)).rejects.toThrow(/is for diff, and the command is copy/)
  })
})

describe('every property listed as used', () => {
  const ON_YSQL = ['spark.cdm.connect.target.type=yugabyte']
  const YSQL = 'spark.cdm.connect.target.yugabyte'
  const COLUMN = 'spark.cdm.schema.origin.column'
  const CODECS = ['spark.cdm.transform.codecs=TIMESTAMP_STRING_FORMAT']
  const EXPLODED = Object.entries({ 'origin.name': 'm', 'target.name.key': 'k', 'target.name.value': 'v' }).map(
    ([name, value]) => `spark.cdm.feature.explodeMap.${name}=${value}`,
  )
  /** A value other than the default, and further properties that it needs. */
  const TRIED: Readonly<Record<string, readonly [value: string, ...beside: readonly string[]]>> = {
    ...Object.fromEntries(
      ['origin', 'target'].flatMap((side) => {
        const at = `spark.cdm.connect.${side}`
        return [
          [`${at}.host`, ['elsewhere']],
          [`${at}.port`, ['9999']],
          [`${at}.username`, ['someone']],
          [`${at}.password`, ['hush4ever']],
          [`${at}.local_dc`, ['dc7']],
          [`${at}.localDC`, ['dc7']],
          [`${at}.tls.enabled`, ['true']],
          [`${at}.tls.trustStore.path`, ['/ca.pem', `${at}.tls.enabled=true`]],
          [`${at}.tls.trustStore.type`, ['PEM', `${at}.tls.enabled=true`, `${at}.tls.trustStore.path=/ca`]],
        ] as const
      }),
    ),
    'spark.cdm.connect.target.type': ['yugabyte'],
    [`${YSQL}.host`]: ['elsewhere', ...ON_YSQL],
    [`${YSQL}.port`]: ['9999', ...ON_YSQL],
    [`${YSQL}.database`]: ['shop', ...ON_YSQL],
    [`${YSQL}.username`]: ['someone', ...ON_YSQL],
    [`${YSQL}.password`]: ['hush4ever', ...ON_YSQL],
    [`${YSQL}.schema`]: ['store', ...ON_YSQL],
    [`${YSQL}.ssl.enabled`]: ['true', ...ON_YSQL],
    [`${YSQL}.sslmode`]: ['verify-full', ...ON_YSQL],
    [`${YSQL}.sslrootcert`]: ['/ca.pem', ...ON_YSQL],
    [`${YSQL}.batchSize`]: ['77', ...ON_YSQL],
    'spark.cdm.schema.origin.keyspaceTable': ['other.one'],
    'spark.cdm.schema.target.keyspaceTable': ['other.one'],
    [`${COLUMN}.ttl.automatic`]: ['false', `${COLUMN}.writetime.automatic=false`],
    [`${COLUMN}.ttl.names`]: ['a'],
    [`${COLUMN}.writetime.automatic`]: ['false', `${COLUMN}.ttl.automatic=false`],
    [`${COLUMN}.writetime.names`]: ['a'],
    [`${COLUMN}.names.to.target`]: ['a:b'],
    'spark.cdm.autocorrect.missing': ['true'],
    'spark.cdm.autocorrect.mismatch': ['true'],
    'spark.cdm.autocorrect.missing.counter': ['true', 'spark.cdm.autocorrect.missing=true'],
    'spark.cdm.trackRun': ['true'],
    'spark.cdm.trackRun.runId': ['5'],
    'spark.cdm.trackRun.previousRunId': ['5'],
    'spark.cdm.trackRun.autoRerun': ['true'],
    'spark.cdm.perfops.numParts': ['7'],
    'spark.cdm.perfops.batchSize': ['7'],
    'spark.cdm.perfops.ratelimit.origin': ['7'],
    'spark.cdm.perfops.ratelimit.target': ['7'],
    'spark.cdm.perfops.consistency.read': ['ONE'],
    'spark.cdm.perfops.consistency.write': ['ONE'],
    'spark.cdm.perfops.fetchSizeInRows': ['7'],
    'spark.cdm.transform.custom.writetime': ['7'],
    'spark.cdm.transform.custom.ttl': ['7'],
    'spark.cdm.transform.codecs': ['INT_STRING'],
    'spark.cdm.transform.codecs.timestamp.string.format': ['yyyy', ...CODECS],
    'spark.cdm.transform.codecs.timestamp.string.zone': ['Etc/GMT-1', ...CODECS],
    'spark.cdm.filter.cassandra.partition.min': ['-7'],
    'spark.cdm.filter.cassandra.partition.max': ['7'],
    'spark.cdm.filter.cassandra.whereCondition': ['AND a = 1'],
    'spark.cdm.filter.java.token.percent': ['7'],
    'spark.cdm.feature.constantColumns.names': ['c', 'spark.cdm.feature.constantColumns.values=1'],
    'spark.cdm.feature.constantColumns.values': ['1', 'spark.cdm.feature.constantColumns.names=c'],
    'spark.cdm.feature.constantColumns.splitRegex': [
      ';',
      'spark.cdm.feature.constantColumns.names=c,d',
      'spark.cdm.feature.constantColumns.values=1;2',
    ],
    'spark.cdm.feature.explodeMap.origin.name': ['n', ...EXPLODED.slice(1)],
    'spark.cdm.feature.explodeMap.target.name.key': ['n', ...EXPLODED.toSpliced(1, 1)],
    'spark.cdm.feature.explodeMap.target.name.value': ['n', ...EXPLODED.toSpliced(2, 1)],
  }

  const known = new Map<string, Promise<string>>()

  /** The operation of a job with these properties, or the error. */
  function once(name: string, properties: readonly string[]): Promise<string> {
    const words = [name, ...properties].join('\n')
    const found = known.get(words) ?? operation(name, properties)
    known.set(words, found)
    return found
  }

  async function operation(name: string, properties: readonly string[]): Promise<string> {
    const all = ['spark.cdm.schema.origin.keyspaceTable=shop.customer', ...properties]
    try {
      const { request } = await parseCommandLine([name, ...all.flatMap((property) => ['--conf', property])], {})
      return request.kind === 'operation' ? JSON.stringify(request.operation) : ''
    } catch (error) {
      return String(error)
    }
  }

  it.each(usedKeys())('%s changes the operation', async (key) => {
    const [value, ...beside] = TRIED[key] ?? []
    // Every key listed as used needs a value here.
    expect(value).toBeDefined()
    const job = key.includes('.autocorrect.') ? 'diff' : 'copy'
    const having = await operation(job, [...beside, `${key}=${value ?? ''}`])
    expect(having).toMatch(/^\{/)
    expect(having).not.toBe(await once(job, beside))
  })

  it.each([
    [['spark.cdm.transform.codecs=STRING_BLOB'], /names STRING_BLOB, which is not supported/],
    [['spark.cdm.transform.codecs=INT_STRINGS'], /is not a codec of the migrator/],
    [['spark.cdm.transform.codecs=TIMESTAMP_STRING_FORMAT,TIMESTAMP_STRING_MILLIS'], /names both/],
    [[...CODECS, 'spark.cdm.transform.codecs.timestamp.string.zone=Europe/Berlin'], /changes over the year/],
    [[...CODECS, 'spark.cdm.transform.codecs.timestamp.string.zone=Mars'], /no time zone/],
    [[...CODECS, 'spark.cdm.transform.codecs.timestamp.string.format=dd MMM yyyy'], /MMM is not supported/],
  ])('unsupported codecs are refused, and the error names them: %j', async (properties, message) => {
    const words = properties.flatMap((property) => ['--conf', property])
    await expect(copyOf('copy', ...words, '--table', 'a.b')).rejects.toThrow(message)
  })
})

describe('flags of a ring', () => {
  const ENDS = ['copy', '--from', 'cassandra://h/ks', '--to', 'postgresql://h/d', '--table', 'ks.t']

  it('are parsed with all digits', async () => {
    const operation = await copyOf(
      ...ENDS,
      '--splits',
      '64',
      '--partition-min',
      '-9223372036854775808',
      '--partition-max',
      '9223372036854775807',

      '--coverage',
      '10',
      '--track-run',
      '--run-id',
      '1704067200000000001',
      '--consistency',
      'quorum',
      '--read-consistency',
      'ONE',
      '--writetime',
      '1704067200000000001',
      '--ttl',
      '60',
      '--page-rows',
      '50',
      '--batch-rows',
      '9',
      '--constants',
      'a=x=y',
      '--constants',
      '"b=c"=',
      '--explode-map',
      'm:k:v',
    )
    expect(operation).toMatchObject({
      ring: { splits: 64, min: '-9223372036854775808', max: '9223372036854775807', coverage: 10 },
      track: { runId: '1704067200000000001' },
      cassandra: {
        readConsistency: 'ONE',
        writeConsistency: 'QUORUM',
        writetime: '1704067200000000001',
        ttl: 60,
        pageRows: 50,
        batchRows: 9,
      },
      constants: { a: 'x=y', 'b=c': '' },
      explodeMap: { column: 'm', key: 'k', value: 'v' },
    })
    expect(operation.cdmLines).toBeUndefined()
    expect((await copyOf(...ENDS, '--no-stamps')).cassandra).toEqual({ dropStamps: true })
    expect(await copyOf(...ENDS)).not.toHaveProperty('ring')
  })

  it.each([
    [['--partition-min', '5', '--partition-max', '4'], /is above/],
    [['--partition-min', '1e9'], /must be a whole number/],
    [['--coverage', '0'], /from 1 to 100/],
    [['--prev-run-id', '0'], /is not the number of a run/],
    [['--prev-run-id', '5', '--auto-rerun'], /exclude each other/],
    [['--run-id', '5', '--prev-run-id', '5'], /are both 5/],
    [['--consistency', 'MOST'], /is not a consistency level/],
    [['--explode-map', 'm:k'], /three columns/],
    [['--constants', 'x'], /names no column/],
    [['--no-stamps', '--writetime', '1'], /exclude each other/],
  ])('are refused if they are invalid: %j', async (words, message) => {
    await expect(copyOf(...ENDS, ...words)).rejects.toThrow(message)
  })

  it('are in the printed command, without passwords and without the number of the run', () => {
    const words = [
      'copy',
      '--conf',
      'spark.cdm.connect.target.password=hush4ever',
      '--run-id',
      '5',
      '--partition-min',
      '-9',
    ]
    const secrets = secretsOf(words, {})
    expect(secrets).toEqual(['hush4ever'])
    expect(commandLine(words, null, secrets, { dropValued: ['--run-id'] })).toBe(
      "sluice copy --conf 'spark.cdm.connect.target.password=***' --partition-min -9",
    )
  })
})
