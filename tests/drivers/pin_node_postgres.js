// The hook of node-postgres: the pin is there before the first query, and stays; a refusal reaches who queries.
const hook = require('fs').readFileSync(process.env.HOOK, 'utf8')
const pool = new Function('require', `${hook}; return pool`)(require)

const main = async () => {
  for (let round = 0; round < 2; round++) {
    const answer = await pool.query(process.env.COUNT)
    console.log(answer.rows[0].count)
  }
  await pool.end()
}
main()
