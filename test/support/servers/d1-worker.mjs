/**
 * Runs inside workerd: hands statements to a real D1 database and gives back what that answers, as rows and columns. The path names the binding.
 * The binding's own `batch` would turn rows into objects, which lose columns of equal names and the order of columns that look like numbers.
 */
export default {
  async fetch(request, env) {
    const binding = env[new URL(request.url).pathname.slice(1)]
    return binding.fetcher.fetch('http://d1/query?resultsFormat=ROWS_AND_COLUMNS', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: request.body,
    })
  },
}
