// Takes an order, and answers what it would have stored.
export const handler = async (event) => {
  const body = Buffer.from(event.body ?? "{}", event.isBase64Encoded ? "base64" : "utf8");
  return {
    statusCode: 201,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ table: process.env.TABLE, order: JSON.parse(body) }),
  };
};
