/**
 * Pictures of whole screens, and an animation of three runs, from real runs on the demo lake: node
 * scripts/make-pictures.mjs, after npm run build. With --check nothing is written: only the words on each screen are
 * compared with its picture, because numbers and bars differ from run to run.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import xterm from '@xterm/headless'
import Database from 'better-sqlite3'
import { spawn } from 'node-pty'

const root = new URL('../', import.meta.url).pathname
const folder = join(root, 'docs/pictures')
const COLUMNS = 100
const ROWS = 28
const CELL = { width: 8.4, height: 18, font: 14, margin: 12 }
const GROUND = '#14171c'
const PLAIN = '#d5d9e0'
const PALETTE =
  '#14171c #e06c75 #98c379 #e5c07b #61afef #c678dd #56b6c2 #d5d9e0 #6b7280 #ff7b86 #b5e08d #ffd68a #82c4ff #dd9bf0 #7fd6e0 #ffffff'.split(
    ' ',
  )
const TIMEOUT_MS = 120_000
const DROPPED = /^(?:CI|CONTINUOUS_INTEGRATION|FORCE_COLOR|NO_COLOR|GITHUB_ACTIONS|NODE_ENV|VITEST|SLUICE_.*|npm_.*)$/

/** The program in a pseudo terminal. @param onDrawn called when all output is drawn */
function open(cwd, args, onDrawn = () => {}, program = process.execPath) {
  const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, allowProposedApi: true })
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !DROPPED.test(name)))
  const child = spawn(program, program === process.execPath ? [join(root, 'dist/cli/bin.js'), ...args] : args, {
    cols: COLUMNS,
    rows: ROWS,
    cwd,
    name: 'xterm-256color',
    env: {
      ...env,
      TZ: 'UTC',
      FORCE_COLOR: '1',
      SLUICE_PROGRAM: 'sluice',
      XDG_STATE_HOME: join(cwd, 'state'),
      XDG_CONFIG_HOME: join(cwd, 'config'),
    },
  })
  let pending = 0
  child.onData((data) => {
    pending += 1
    terminal.write(data, () => {
      pending -= 1
      if (pending === 0) onDrawn(terminal)
    })
  })
  const ended = new Promise((resolve) => child.onExit(resolve))
  const text = () =>
    rowsOf(terminal)
      .map((row) => row.translateToString(true))
      .join('\n')
  const until = async (wanted) => {
    for (const end = Date.now() + TIMEOUT_MS; ;) {
      if (pending === 0 && wanted.test(text())) return
      if (Date.now() > end) throw new Error(`never seen: ${wanted}\n${text()}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { terminal, ended, until, type: (keys) => child.write(keys), close: () => child.kill('SIGTERM') }
}

const rowsOf = (terminal) =>
  Array.from({ length: ROWS }, (_, i) => terminal.buffer.active.getLine(terminal.buffer.active.baseY + i))

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

function colour(isDefault, isPalette, value, otherwise) {
  if (isDefault) return otherwise
  return isPalette ? (PALETTE[value] ?? otherwise) : `#${value.toString(16).padStart(6, '0')}`
}

/** Groups adjacent cells with equal style. */
function runsOf(row) {
  const runs = []
  for (let x = 0; x < COLUMNS; x += 1) {
    const cell = row.getCell(x)
    if (cell.getWidth() === 0) continue
    const front = colour(cell.isFgDefault(), cell.isFgPalette(), cell.getFgColor(), PLAIN)
    const ground = colour(cell.isBgDefault(), cell.isBgPalette(), cell.getBgColor(), GROUND)
    const [fill, back] = cell.isInverse() ? [ground, front] : [front, ground]
    const look = `${fill}|${back}|${cell.isBold() ? 'b' : ''}${cell.isDim() ? 'd' : ''}`
    const last = runs.at(-1)
    const chars = cell.getChars() || ' '
    if (last?.look === look) {
      last.text += chars
      last.cells += cell.getWidth()
    } else
      runs.push({
        look,
        fill,
        back,
        bold: cell.isBold() !== 0,
        dim: cell.isDim() !== 0,
        x,
        cells: cell.getWidth(),
        text: chars,
      })
  }
  return runs
}

/** The content of a terminal as lines of SVG. */
function linesOf(terminal) {
  const { width, height, margin } = CELL
  const at = (cells) => Number((margin + cells * width).toFixed(1))
  return rowsOf(terminal).flatMap((row, y) =>
    runsOf(row).flatMap(({ fill, back, bold, dim, x, cells, text }) => {
      const top = margin + y * height
      const size = Number((cells * width).toFixed(1))
      const box =
        back === GROUND ? [] : [`<rect x="${at(x)}" y="${top}" width="${size}" height="${height}" fill="${back}"/>`]
      if (text.trim() === '') return box
      const lead = text.length - text.trimStart().length
      const shown = text.trim()
      const wide = Number((shown.length * width).toFixed(1))
      const style = `${bold ? ' font-weight="bold"' : ''}${dim ? ' opacity="0.6"' : ''}${fill === PLAIN ? '' : ` fill="${fill}"`}`
      return [
        ...box,
        `<text x="${at(x + lead)}" y="${top + 13.5}" textLength="${wide}"${style}>${escaped(shown)}</text>`,
      ]
    }),
  )
}

/** @param lines SVG of one screen or of several successive ones */
function svgOf(lines, title) {
  const { width, height, font, margin } = CELL
  const size = [Math.round(2 * margin + COLUMNS * width), 2 * margin + ROWS * height]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size[0]}" height="${size[1]}" viewBox="0 0 ${size[0]} ${size[1]}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="${GROUND}"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="${font}" fill="${PLAIN}" xml:space="preserve" lengthAdjust="spacingAndGlyphs">`,
    ...lines,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

/** Parts that are equal in every run: words of four letters and more. */
function wordsOf(svg) {
  const text = svg.replaceAll(/<[^>]*>/g, ' ')
  return [...new Set(text.match(/[a-z][a-z/_-]{3,}/gi) ?? [])].toSorted()
}

const STEP_MS = 400
const LONGEST_MS = 1500
const LAST_MS = 5000

/** Shows the frames one after the other, repeatedly. A viewer without animation shows the last one. */
function movingSvg(frames, title) {
  const shown = frames.map(({ ms }, i) =>
    i + 1 === frames.length ? LAST_MS : Math.min(frames[i + 1].ms - ms, LONGEST_MS),
  )
  const whole = shown.reduce((sum, ms) => sum + ms, 0)
  let from = 0
  const groups = frames.map(({ lines }, i) => {
    const [begin, end] = [from / whole, (from + shown[i]) / whole].map((part) => part.toFixed(4))
    from += shown[i]
    const last = i + 1 === frames.length
    const [values, times] = last
      ? ['hidden;visible', `0;${begin}`]
      : i === 0
        ? ['visible;hidden', `0;${end}`]
        : ['hidden;visible;hidden', `0;${begin};${end}`]
    const moves = `<animate attributeName="visibility" values="${values}" keyTimes="${times}" calcMode="discrete" dur="${whole / 1000}s" repeatCount="indefinite"/>`
    return `<g${last ? '' : ' visibility="hidden"'}>${moves}${lines.join('')}</g>`
  })
  return svgOf(groups, title)
}

const THREE = [
  'sluice import lake/sales/orders --database-url sqlite:///lake.db',
  'sluice copy --from sqlite:///shop.db --to duckdb:///copy.duckdb --table bookings',
  'sluice archive run --from sqlite:///shop.db --table bookings --by at --to ./archive --older-than 8q',
]

/** Three commands in one terminal: a lake is imported, a table is copied, old partitions are archived. */
async function moving(cwd) {
  const shop = new Database(join(cwd, 'shop.db'))
  shop.exec(`CREATE TABLE bookings (id INTEGER PRIMARY KEY, at DATETIME NOT NULL, guest TEXT, cents INTEGER);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
    INSERT INTO bookings SELECT i, datetime('now', '-42 months', (i * 62) || ' minutes'), 'guest ' || (i % 977), i % 30000 FROM n`)
  shop.close()
  const frames = []
  const began = Date.now()
  const note = (terminal) => {
    const ms = Date.now() - began
    const lines = linesOf(terminal)
    if (frames.length > 0 && ms - frames.at(-1).ms < STEP_MS) frames.pop()
    if (lines.join('') !== frames.at(-1)?.lines.join('')) frames.push({ ms, lines })
  }
  const bin = join(root, 'dist/cli/bin.js')
  const script = THREE.map((line) => {
    const args = line.slice('sluice '.length)
    return `printf '\\033[1m$ ${line}\\033[0m\\n'; sleep 1; '${process.execPath}' '${bin}' ${args} --ci 2>&1 | cut -c1-${COLUMNS - 2}; echo`
  }).join('\n')
  const run = open(cwd, ['-c', script], note, 'bash')
  await run.ended
  note(run.terminal)
  return movingSvg(frames, 'A lake imported, a table copied, old partitions archived')
}

async function screens() {
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-pictures-'))
  const found = new Map()
  try {
    cpSync(join(root, 'fixtures/lake'), join(cwd, 'lake'), { recursive: true, preserveTimestamps: true })
    const catalog = ['--database-url', 'sqlite:///lake.db']
    const run = open(cwd, ['batch-import', './lake', '--recursive', '--parallel', '1', ...catalog])
    await run.until(/failed, exit 1[^]*q leave/)
    found.set('run', svgOf(linesOf(run.terminal), 'The Run screen after an import of a whole lake'))
    run.type('q')
    await run.ended
    const ui = open(cwd, ['./lake', ...catalog])
    await ui.until(/sales\/orders.*current[^]*in all/)
    ui.type('G')
    await ui.until(/› staging\/managed/)
    ui.type('k')
    await ui.until(/› sales\/orders[^]*\d commits/)
    found.set('tables', svgOf(linesOf(ui.terminal), 'The tables of a lake and their catalog'))
    ui.type('c')
    await ui.until(/ idle[^]*every answer is the same/)
    found.set('compare', svgOf(linesOf(ui.terminal), 'The same questions, asked of files and of SQL'))
    ui.close()
    await ui.ended
    rmSync(join(cwd, 'lake.db'))
    found.set('moving', (await moving(cwd)).replaceAll(cwd, '.'))
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
  return found
}

const check = process.argv.includes('--check')
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.message}\n`)
  // A program that still runs would keep this process alive.
  process.exit(1)
})
mkdirSync(folder, { recursive: true })
for (const [name, svg] of await screens()) {
  const file = join(folder, `${name}.svg`)
  if (!check) {
    writeFileSync(file, svg)
    process.stdout.write(`${file}: ${svg.length} bytes\n`)
    continue
  }
  const [now, then] = [wordsOf(svg), wordsOf(readFileSync(file, 'utf8'))]
  const differ = [...now.filter((word) => !then.includes(word)), ...then.filter((word) => !now.includes(word))]
  if (differ.length === 0) continue
  process.stderr.write(
    `${file} is not what the program draws (${differ.join(', ')}): run node scripts/make-pictures.mjs\n`,
  )
  process.exitCode = 1
}
